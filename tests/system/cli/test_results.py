"""The command line: a result stands for one song and one set of settings, and nothing of the user is overwritten."""
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, check_refused, stems
from .folders import names, stamps

MODELS = INSTANT_MODEL
STEMS = {"vocals", "other"}


@pytest.fixture
def songs(tmp_path):
    """Two albums whose songs have one name."""
    for number, album in enumerate(("cd1", "cd2")):
        (tmp_path / album).mkdir()
        (tmp_path / album / "01.wav").write_bytes(wav(music(1, seed=number)))
    return [tmp_path / album / "01.wav" for album in ("cd1", "cd2")]


def record(folder) -> dict:
    return json.loads((folder / "stemwire.json").read_text())


def sources(out) -> dict:
    """The hash of each result's song."""
    return {folder.name: record(folder)["source"]["sha256"] for folder in out.iterdir()}


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_record_identifies_song_model_settings_and_stems(cli, short, tmp_path):
    cli("separate", short, "-o", "out")
    folder = tmp_path / "out" / "short"
    found = record(folder)
    assert found["source"] == {"name": "short.wav", "bytes": short.stat().st_size, "sha256": sha256(short)}
    assert found["model"]["name"] == "waveform" and len(found["model"]["weights_sha256"]) == 64
    assert found["settings"]["stems"] == sorted(STEMS) and found["settings"]["format"] == "wav-f32"
    [engine] = found["engines"]
    assert (engine["name"], engine["provider"], engine["precision"]) == ("waveform", "cpu", "f32")
    assert {stem["name"]: stem["sha256"] for stem in found["stems"]} == {name: sha256(folder / f"{name}.wav") for name in STEMS}
    assert (found["sample_rate"], found["frames"], found["complete"]) == (44_100, 88_200, True)


def test_an_equal_run_is_skipped_and_writes_nothing(cli, short, tmp_path):
    cli("separate", short, "-o", "out")
    before = stamps(tmp_path / "out")
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "short.wav").write_bytes(short.read_bytes())
    for song in (short, "copies/short.wav"):
        assert "short.wav: skipped, its stems are already in out/short" in cli("separate", song, "-o", "out").err
    assert stamps(tmp_path / "out") == before and names(tmp_path / "out") == ["short"]
    cli("separate", short, "-o", "out", "--force")
    assert all(stamp != before[name] for name, stamp in stamps(tmp_path / "out").items())


def test_a_run_that_skips_all_removes_what_a_killed_one_has_left(cli, short, tmp_path):
    """A run may be killed once its result has its name, and before it removes its scratch directory."""
    cli("separate", short, "-o", "out")
    left = tmp_path / "out" / ".stemwire-left"
    left.mkdir()
    (left / "in-use").touch()
    (left / "result").mkdir()
    assert "skipped" in cli("separate", short, "-o", "out").err
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["short"]


@pytest.mark.parametrize("calls", [[0, 1], [(0, 1)]], ids=["two runs", "one run"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_songs_of_one_name_each_have_a_result(cli, songs, tmp_path, calls, force):
    for call in calls:
        chosen = [songs[index] for index in call] if isinstance(call, tuple) else [songs[call]]
        cli("separate", *chosen, "-o", "out", *force)
    assert sources(tmp_path / "out") == {"01": sha256(songs[0]), "01 (2)": sha256(songs[1])}
    assert all(stems(folder).keys() == STEMS for folder in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("options", [
    ["--format", "wav-s16"], ["--stems", "vocals"], ["--two-stems", "vocals"], ["--overlap", "0.5"], ["--normalization", "exact"],
])
def test_other_settings_have_a_result_of_their_own(cli, short, tmp_path, options):
    cli("separate", short, "-o", "out")
    before = stamps(tmp_path / "out")
    for _ in range(2):
        cli("separate", short, "-o", "out", *options)
        assert names(tmp_path / "out") == ["short", "short (2)"]
    assert {name: stamps(tmp_path / "out")[name] for name in before} == before
    # With --force they are computed again where they are.
    cli("separate", short, "-o", "out", "--force", *options)
    after = stamps(tmp_path / "out")
    assert {name for name in before if after[name] != before[name]} == set() and names(tmp_path / "out") == ["short", "short (2)"]


def test_a_forced_run_replaces_the_result_of_the_song_wherever_it_is(cli, songs, short, tmp_path):
    cli("separate", *songs, "-o", "out")
    first = tmp_path / "out" / "01"
    for path in first.iterdir():
        path.write_text("a user's")
    before = stamps(tmp_path / "out")
    assert "skipped, its stems are already in out/01 (2)" in cli("separate", songs[1], "-o", "out").err
    cli("separate", songs[1], "-o", "out", "--force")
    replaced = {Path(name).parent.name for name, stamp in stamps(tmp_path / "out").items() if before[name] != stamp}
    assert replaced == {"01 (2)"} and {path.read_text() for path in first.iterdir()} == {"a user's"}
    # Without a result of its own, --force writes where the song would go.
    cli("separate", short, "-o", "out")
    cli("separate", short, "-o", "out", "--two-stems", "vocals", "--force")
    assert names(tmp_path / "out") == ["01", "01 (2)", "short"]
    assert record(tmp_path / "out" / "short")["settings"]["stems"] == ["accompaniment", "vocals"]


def test_a_song_that_changed_is_another_song(cli, short, tmp_path):
    cli("separate", short, "-o", "out")
    before = sha256(short)
    short.write_bytes(wav(music(2, seed=7)))
    cli("separate", short, "-o", "out")
    assert sources(tmp_path / "out") == {"short": before, "short (2)": sha256(short)}


def test_a_missing_stem_is_computed_again_and_an_edited_one_is_kept(cli, short, tmp_path):
    cli("separate", short, "-o", "out")
    vocals = tmp_path / "out" / "short" / "vocals.wav"
    expected = vocals.read_bytes()
    for damage in (vocals.unlink, lambda: vocals.write_bytes(b"")):
        damage()
        cli("separate", short, "-o", "out")
        assert vocals.read_bytes() == expected and names(tmp_path / "out") == ["short"]
    edited = expected[:-1] + bytes([expected[-1] ^ 1])
    vocals.write_bytes(edited)
    cli("separate", short, "-o", "out")
    assert vocals.read_bytes() == edited and names(tmp_path / "out") == ["short", "short (2)"]
    assert (tmp_path / "out" / "short (2)" / "vocals.wav").read_bytes() == expected


def test_files_of_the_user_are_overwritten_with_force_only(cli, short, tmp_path):
    folder = tmp_path / "out" / "short"
    folder.mkdir(parents=True)
    for name in ("vocals.wav", "notes.txt"):
        (folder / name).write_text("a user's")
    refused = cli("separate", short, "-o", "out", code=2).err
    check_refused(refused, "short.wav: out/short has files that are not a result", "--output, or --force")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"vocals.wav": "a user's", "notes.txt": "a user's"}
    assert names(tmp_path / "out") == ["short"]
    cli("separate", short, "-o", "out", "--force")
    assert stems(folder).keys() == STEMS and (folder / "notes.txt").read_text() == "a user's"


def test_a_folder_that_cannot_be_written_is_refused_before_computing(cli, short, tmp_path):
    # Nothing can compute: only a refusal before that has this text.
    nothing = {"STEMWIRE_RUNTIME": tmp_path / "missing"}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "short").write_text("a user's")
    check_refused(cli("separate", short, "-o", "out", code=6, **nothing).err, "out/short is not a folder", "Move it away")
    assert (tmp_path / "out" / "short").read_text() == "a user's"
    # No user may create files there, and no folders.
    check_refused(cli("separate", short, "-o", "/proc/a/b", code=6, **nothing).err, "cannot write /proc/a/b/short", "can be written")


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a small disk is mounted by root")
@pytest.mark.parametrize("size, when", [("256k", "before anything is loaded"), ("11M", "once the song is decoded")])
def test_a_full_disk_is_found_before_the_stems_are_computed(cli, tmp_path, size, when):
    (tmp_path / "song.wav").write_bytes(wav(music(10)))
    out = tmp_path / "out"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", out], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not mount")
    try:
        variables = {"STEMWIRE_RUNTIME": tmp_path / "missing"} if size == "256k" else {}
        refused = cli("separate", "song.wav", "-o", "out", code=6, **variables).err
        cause = "song.wav: .*(the disk of .*free, and the stems need|the disk is full)"
        check_refused(refused, cause, "Free space on the disk of the output")
        assert "server" not in refused
        assert names(out) == []
    finally:
        subprocess.run(["umount", out], check=True)


@pytest.mark.parametrize("name, folder", [
    ("...wav", "song"), ("..wav", "song"), (" . .wav", "song"), ("trailing. .wav", "trailing"), ("con.wav", "_con"),
    ("\x1b[31mred\x07.wav", "[31mred"), ("back\\slash.wav", "slash"), ("what?.wav", "what_"), ("x" * 251 + ".wav", "x" * 200),
    ("é" * 125 + ".wav", "é" * 100), ("Don't stop.wav", "Don't stop"),
])
def test_a_name_stays_inside_the_output_folder(cli, tmp_path, name, folder):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(wav(music(1)))
    output = cli("separate", f"in/{name}", "-o", "a/out")
    assert names(tmp_path / "a") == ["out"] and names(tmp_path / "a" / "out") == [folder]
    assert record(tmp_path / "a" / "out" / folder)["source"]["name"] == name
    for text in (output.out.decode(), output.err):
        assert not any(ord(character) < 32 and character != "\n" for character in text), text


def test_names_that_are_not_unicode_do_not_collide(cli, tmp_path):
    paths = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9.wav", b"caf\xe8.wav")]
    try:
        for number, path in enumerate(paths):
            path.write_bytes(wav(music(1, seed=number)))
    except OSError:
        pytest.skip("this file system has names in Unicode only")
    cli("separate", *paths, "-o", "out")
    assert len(set(sources(tmp_path / "out").values())) == 2


def test_standard_input_is_no_exception(cli, tmp_path):
    first, second = wav(music(1)), wav(music(1, seed=2))
    for song in (first, second, first):
        cli("separate", "-", "-o", "out", stdin=song)
    hashes = [hashlib.sha256(song).hexdigest() for song in (first, second)]
    assert sources(tmp_path / "out") == {"stdin": hashes[0], "stdin (2)": hashes[1]}


def test_a_server_has_the_same_record(cli, server, short, tmp_path):
    cli("separate", short, "-o", "here")
    cli("separate", short, "-o", "there", "--server", f"http://{server.address}")
    here, there = (record(tmp_path / name / "short") for name in ("here", "there"))
    assert here["settings"].pop("precision") == "exact" and there["settings"].pop("precision") is None
    assert here == there
    again = cli("separate", short, "-o", "there", "--server", f"http://{server.address}").err
    assert "skipped, its stems are already in there/short" in again


def test_a_file_that_changes_meanwhile_has_no_result(cli, short, tmp_path):
    ended = threading.Event()

    def change():
        while not ended.wait(0.005):
            short.touch()

    changing = threading.Thread(target=change)
    changing.start()
    try:
        output = cli("separate", short, "-o", "out", code=3)
    finally:
        ended.set()
        changing.join()
    assert "error: short.wav: the file changed while it was separated\nremedy: Separate it again" in output.err
    assert names(tmp_path / "out") == []
