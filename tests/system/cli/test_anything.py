"""The command line: whatever songs are called, whatever is in the output folder, whatever is asked for and whenever a run ends,
no file of the user changes, nothing is written outside the folder, and exit code 0 stands for the stems that were asked for."""
import hashlib
import json
import os
import random
import signal
import subprocess
import time

import pytest

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL
from .folders import scratch

MODELS = INSTANT_MODEL

NAMES = [
    "song.wav", "...wav", "..wav", "-.wav", "a b.wav", "con.wav", "[x]*.wav", "b\x1b[31m.wav", "x" * 251 + ".wav", "é" * 60, "晴天.wav",
    # Two names in Latin-1 that are shown alike.
    os.fsdecode(b"l\xe9.wav"), os.fsdecode(b"l\xe8.wav"),
]
BOTH = {"other", "vocals"}
# The options; the stems, the model and the format that they ask for, and the frames that they leave out.
SETTINGS = [
    ([], BOTH, "waveform", "wav-f32", 0),
    (["--stems", "vocals"], {"vocals"}, "waveform", "wav-f32", 0),
    (["--two-stems", "vocals"], {"accompaniment", "vocals"}, "waveform", "wav-f32", 0),
    (["--format", "wav-s16", "--fit"], BOTH, "waveform", "wav-s16", 0),
    (["--start", "0.5"], BOTH, "waveform", "wav-f32", RATE // 2),
    (["--jobs", "2"], BOTH, "waveform", "wav-f32", 0),
    (["--name", "{source}/{stem}"], BOTH, "waveform", "wav-f32", 0),
    (["--model", "spectrogram"], BOTH, "spectrogram", "wav-f32", 0),
]


def title(name: str) -> str:
    """The usual name of a folder, for names without anything to replace."""
    return name.removesuffix(".wav").strip(". ") or "song"


def occupy(rng: random.Random, out, name: str) -> None:
    """Puts a user's files where results would go."""
    folder = out / title(name)[:100]
    for number, kind in enumerate(rng.choices(["none", "file", "stems", "folders", "empty"], k=2)):
        place = folder if number == 0 else folder.with_name(f"{folder.name} (2)")
        if kind == "none" or place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            place.write_text("a user's")
            continue
        place.mkdir()
        if kind == "stems":
            for file in ("vocals.wav", "other.wav", "stemwire.json"):
                (place / file).write_text("a user's")
        elif kind == "folders":
            (place / "takes").mkdir()
            (place / "takes" / "vocals.wav").write_text("a user's")


def files(folder) -> dict:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def results(out) -> list:
    """What the complete results stand for: song, stems, model, format and frames. Each has the stems that its record names."""
    found = []
    for path in out.rglob("stemwire.json"):
        try:
            record = json.loads(path.read_text())
        except ValueError:
            continue
        for stem in record["stems"]:
            assert sha256(path.parent / stem["file"]) == stem["sha256"]
        stems = {stem["name"] for stem in record["stems"]}
        found.append((record["source"]["sha256"], stems, record["model"]["name"], record["settings"]["format"], record["frames"]))
    return found


@pytest.mark.parametrize("case", range(10))
def test_no_run_changes_files_of_the_user_or_ends_well_without_its_stems(binary, tmp_path, case):
    rng = random.Random(case)
    songs, out = tmp_path / "songs", tmp_path / "home" / "out"
    songs.mkdir()
    chosen = rng.sample(NAMES, 2)
    for name in chosen:
        (songs / name).write_bytes(wav(music(1, seed=case)))
        occupy(rng, out, name)
    (songs / chosen[1]).write_bytes(wav(music(2, seed=case)))
    seconds = dict(zip(chosen, (1, 2)))
    # The same songs with two settings, in any order.
    wanted = rng.sample(SETTINGS, 2)
    inputs = [songs] if rng.random() < 0.5 else [songs / name for name in chosen]
    found = lambda name: inputs != [songs] or (name.endswith(".wav") and not name.startswith("."))
    before = files(tmp_path)
    for end, number in [*zip(rng.choices([signal.SIGKILL, signal.SIGINT, None], k=2), rng.choices([0, 1], k=2)), (None, 0), (None, 1)]:
        options, stems, model, form_name, left_out = wanted[number]
        command = [binary, "separate", "--offline", *options, "-o", out, "--", *inputs]
        running = subprocess.Popen(command, cwd=songs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if end:
            time.sleep(rng.random() / 2)
            running.send_signal(end)
        _, err = running.communicate(timeout=60)
        after = files(tmp_path)
        assert {path: after.get(path) for path in before} == before, err
        assert all(path.is_relative_to(out) for path in after.keys() - before.keys()), err
        if running.returncode == 0:
            made = results(out)
            for name in filter(found, chosen):
                frames = seconds[name] * RATE - left_out
                assert (sha256(songs / name), stems, model, form_name, frames) in made, err
        elif not end:
            assert running.returncode in (1, 2, 3, 6) and b"error: " in err and b"remedy: " in err
    assert scratch(out) == [], "the last run leaves nothing behind"
    assert not any(byte < 32 and byte != 10 for byte in err), err
