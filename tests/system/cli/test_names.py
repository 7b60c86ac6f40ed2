"""The command line: names of results from templates."""
import json

import pytest
import soundfile

from ..audio import RATE, music
from ..common import INSTANT_MODEL
from .folders import names

MODELS = INSTANT_MODEL


def tagged(path, seed, **tags):
    with soundfile.SoundFile(path, "w", RATE, 2, format="FLAC") as file:
        for name, text in tags.items():
            setattr(file, name, text)
        file.write(music(1, seed=seed))
    return path


def test_names_come_from_the_tags_and_equal_ones_get_folders_of_their_own(cli, tmp_path):
    tags = {"title": "AC/DC: live", "artist": "Some One", "tracknumber": "3"}
    songs = [tagged(tmp_path / f"{seed}.flac", seed, **tags) for seed in range(2)]
    command = ["separate", *songs, "-o", "out", "--name", "{artist}/{title}/{track}-{stem}"]
    cli(*command)
    folders = tmp_path / "out" / "Some One"
    assert names(tmp_path / "out") == ["Some One"] and names(folders) == ["ACDC_ live", "ACDC_ live (2)"]
    for folder in folders.iterdir():
        assert names(folder) == ["03-other.wav", "03-vocals.wav", "stemwire.json"]
        assert json.loads((folder / "stemwire.json").read_text())["settings"]["name"] == command[-1]
    # The tags are known only once a song is decoded; its result is found all the same.
    assert json.loads(cli(*command, "--json").out.splitlines()[-1])["skipped"] == 2
    assert names(folders) == ["ACDC_ live", "ACDC_ live (2)"]


def test_missing_tags_have_names_too(cli, short, tmp_path):
    cli("separate", short, "-o", "out", "--name", "{artist}/{album}/{title} by {model}/{stem}")
    folder = tmp_path / "out" / "Unknown artist" / "Unknown album" / "short by waveform"
    assert names(folder) == ["other.wav", "stemwire.json", "vocals.wav"]
    cli("separate", short, "-o", "plain", "--name", "{source} {stem}")
    assert names(tmp_path / "plain" / "short") == ["short other.wav", "short vocals.wav", "stemwire.json"]


@pytest.mark.parametrize("template, cause", [
    ("{song}-{stem}", "{title}, {artist}, {album}, {track}, {source}, {model}, {stem}"), ("../{stem}", "every system"),
    ("{title}", "needs {stem}"),
])
def test_a_template_that_names_nothing_is_refused(cli, short, tmp_path, template, cause):
    assert cause in cli("separate", short, "-o", "out", "--name", template, code=2).err
    assert not (tmp_path / "out").exists()
