"""The command line: files of stems and mixes have the tags and the cover of the song, as mutagen reads them."""
import json

import numpy as np
import pytest
import soundfile

from ..common import INSTANT_FOUR_STEMS
from ..tags import expected, picture, read_file, tagged_song

MODELS = INSTANT_FOUR_STEMS
STEMS = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
def cover() -> bytes:
    return picture()


@pytest.fixture
def song(tmp_path, cover) -> None:
    (tmp_path / "song.mp3").write_bytes(tagged_song(0.7, cover))


@pytest.mark.parametrize("form_name, extension", [("wav-f32", "wav"), ("flac", "flac"), ("mp3", "mp3")])
def test_stems_and_their_mix_have_the_tags_of_the_song(cli, song, cover, tmp_path, form_name, extension):
    separate = ["separate", "song.mp3", "--format", form_name]
    cli(*separate)
    folder = tmp_path / "stems" / "song"
    for stem in STEMS:
        assert read_file(folder / f"{stem}.{extension}") == (expected(stem), cover)
    assert json.loads((folder / "stemwire.json").read_text())["settings"]["tags"] is True
    assert "skipped" in cli(*separate).err or "exist" in cli(*separate).err
    cli("mix", folder, "--gains", "vocals:-inf", "--output", "mix.m4a", "--format", "m4a-alac")
    assert read_file(tmp_path / "mix.m4a") == (expected("no vocals"), cover)
    cli("mix", folder, "--output", "plain.flac", "--no-tags")
    assert read_file(tmp_path / "plain.flac") == ({}, None)


def test_files_without_tags_are_another_result(cli, song, tmp_path):
    cli("separate", "song.mp3")
    cli("separate", "song.mp3", "--no-tags")
    tagged, plain = (tmp_path / "stems" / name for name in ("song", "song (2)"))
    for stem in STEMS:
        assert read_file(plain / f"{stem}.wav") == ({}, None)
        samples = [soundfile.read(folder / f"{stem}.wav", dtype="float32")[0] for folder in (tagged, plain)]
        assert np.array_equal(*samples)
        # They are where they are without tags.
        assert (tagged / f"{stem}.wav").read_bytes()[8:].startswith((plain / f"{stem}.wav").read_bytes()[8:])
    cli("mix", plain, "--output", "mix.flac")
    assert read_file(tmp_path / "mix.flac") == ({}, None)


def test_a_server_and_ni_stems_give_the_same(cli, server, song, cover, tmp_path):
    cli("separate", "song.mp3", "--format", "opus", "--stems", "vocals", "--server", f"http://{server.address}")
    assert read_file(tmp_path / "stems" / "song" / "vocals.opus") == (expected("vocals"), cover)
    piped = ["separate", "-", "--stems", "drums", "--output", "piped", "--server", f"http://{server.address}"]
    cli(*piped, stdin=(tmp_path / "song.mp3").read_bytes())
    (file,) = (tmp_path / "piped").glob("*/drums.wav")
    assert read_file(file) == (expected("drums"), cover)
    cli("separate", "song.mp3", "--format", "ni-stems", "--ffmpeg", "never")
    assert read_file(tmp_path / "stems" / "song (2)" / "song.stem.mp4") == (expected(None), cover)
