"""The command line: folders and patterns of songs, several at a time, and reports for scripts."""
import json
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, stems
from .folders import names

MODELS = INSTANT_MODEL
STEMS = {"vocals", "other"}


@pytest.fixture
def albums(tmp_path):
    """Folders of songs, among other files."""
    folder = tmp_path / "albums"
    paths = ["intro.wav", "intro/01.wav", "Vol. 1/01.wav", "Vol. 1/con.wav"]
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(wav(music(1, seed=number)))
    for path in ("cover.jpg", ".hidden.wav", "Vol. 1/notes.txt"):
        (folder / path).write_bytes(b"no song")
    return folder


def results(out: Path) -> set:
    return {str(path.parent.relative_to(out)) for path in out.rglob("stemwire.json")}


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_folder_is_mirrored_and_found_again(cli, albums, tmp_path, jobs):
    cli("separate", "albums", "-o", "out", "--jobs", jobs)
    expected = {"Vol. 1/01", "Vol. 1/_con", "intro/01", "intro"}
    found = results(tmp_path / "out")
    # Where intro.wav ends first, intro/01 lies in its folder; else that has the name.
    assert found in (expected, expected - {"intro"} | {"intro (2)"})
    assert all(stems(tmp_path / "out" / folder).keys() == STEMS for folder in found)
    again = cli("separate", "albums", "-o", "out", "--jobs", jobs).err
    assert again.count(": skipped, ") == 4 and "Vol. 1/con.wav: skipped, its stems are already in out/Vol. 1/_con" in again
    assert results(tmp_path / "out") == found


def test_results_are_no_songs(cli, albums, tmp_path):
    for _ in range(2):
        cli("separate", ".", "-o", "albums/stems")
    assert len(results(tmp_path)) == 4
    cli("separate", "albums", "-o", "elsewhere")
    assert len(results(tmp_path / "elsewhere")) == 4


def test_patterns_are_expanded_and_names_with_their_characters_are_not(cli, albums, tmp_path):
    (tmp_path / "[ab]*.wav").write_bytes(wav(music(1)))
    (tmp_path / "a.wav").write_bytes(wav(music(1)))
    cli("separate", "[ab]*.wav", "albums/*/*.wav", "-o", "out")
    assert results(tmp_path / "out") == {"[ab]_", "01", "01 (2)", "_con"}


def test_songs_at_the_same_time_have_the_stems_of_songs_after_each_other(cli, tmp_path):
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "song.wav").write_bytes(wav(music(1, seed=number % 4)))
    songs = [f"{number}/song.wav" for number in range(5)]
    cli("separate", *songs, "-o", "one")
    cli("separate", *songs, "-o", "many", "-j", 5)
    contents = lambda out: sorted(path.read_bytes() for path in (tmp_path / out).glob("*/*.wav"))
    # The fifth song is the first once more.
    assert len(names(tmp_path / "many")) == 4 and contents("one") == contents("many")


def lines(output) -> list:
    return [json.loads(line) for line in output.out.splitlines()]


@pytest.mark.parametrize("remote", [False, True])
def test_scripts_get_a_line_of_json_for_each_event(cli, server, short, tmp_path, remote):
    (tmp_path / "text.txt").write_text("no music" * 50)
    command = ["separate", short, "text.txt", "nosuch.wav", "-o", "out", "--json"]
    command += ["--server", f"http://{server.address}"] if remote else []
    events = lines(cli(*command, code=3))
    of = lambda kind: [event for event in events if event["event"] == kind]
    assert {event["input"] for event in of("started")} == {str(short), "text.txt"}
    assert any(event["input"] == str(short) for event in of("progress"))
    [done] = of("done")
    assert done["input"] == str(short) and (done["skipped"], done["seconds"], done["sample_rate"]) == (False, 2, 44_100)
    assert done["stems"] == {name: f"out/short/{name}.wav" for name in STEMS} and done["folder"] == "out/short"
    failed = {event["input"]: event["error"] for event in of("failed")}
    assert failed["text.txt"]["reason"] == "FORMAT_UNKNOWN" and failed["nosuch.wav"]["reason"] is None
    assert {(error["category"], error["exit_code"]) for error in failed.values()} == {("input", 3)}
    assert all(error["cause"] and error["remedy"] for error in failed.values())
    assert events[-1] == {"event": "finished", "songs": 3, "done": 1, "skipped": 0, "failed": 2}
    again = lines(cli(*command, code=3))
    assert [event["skipped"] for event in again if event["event"] == "done"] == [True]


def test_a_run_that_cannot_begin_is_a_line_of_json_too(cli, short, tmp_path):
    [failed] = lines(cli("separate", short, "--json", code=2, STEMWIRE_MODEL="nosuch"))
    assert (failed["input"], failed["error"]["reason"]) == (None, "MODEL_UNKNOWN")
