"""One song, one result: for any client, however the song is sent and the stems are read."""
import hashlib
import random
import subprocess

import numpy as np
import pytest
import soundfile

from ..audio import RATE, encode, music, wav
from ..common import QUICK_MODEL
from ..stemwire_client import Config, api, collect, config_pb2, get_stem, separate, session_pb2

# Bytes are the same although two threads share the work.
MODELS = {**QUICK_MODEL, "STEMWIRE_THREADS": "2"}
STEMS = ["drums", "bass", "other", "vocals"]
HEADER = 94
# Two segments of the model.
FRAMES = 9 * RATE


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return encode(music(9), "-b:a", "192k")


@pytest.fixture(scope="module")
def reference(server, mp3):
    """The mp3's stems, uploaded in chunks of the usual size."""
    result = separate(server.stub, mp3)
    assert result.error is None
    assert result.done.state == session_pb2.SESSION_STATE_DONE
    return result


def test_stems_are_as_long_as_the_track_and_have_no_gap(reference, mp3):
    assert reference.done.source.frames == FRAMES, "the mp3's delay and padding are trimmed"
    assert list(reference.stems) == STEMS
    for name, pcm in reference.stems.items():
        assert len(pcm) == FRAMES * 8
        position = 0
        for start, length in reference.starts[name]:
            assert start == position
            position += length // 8
    for pcm in reference.stems.values():
        assert np.abs(np.frombuffer(pcm, "<f4")).max() > 1e-4, "the stem is silent"


def test_the_messages_come_in_their_order(reference):
    assert reference.session.session_id == reference.done.session_id
    assert reference.session.config.model == "mini-spleeter"
    assert reference.done.engine.execution_provider == "cpu"
    assert len(reference.done.engine.weights_sha256) == 32
    finished = [progress.finished_frames for progress in reference.progress]
    assert finished == sorted(finished)
    longest = max(length for starts in reference.starts.values() for _, length in starts)
    assert longest <= 256 * 1024
    # The stems advance together, message by message.
    drums = reference.starts["drums"]
    assert all(starts == drums for starts in reference.starts.values())


def test_hashes_are_of_the_samples(reference):
    for stem in reference.done.stems:
        assert stem.sha256 == hashlib.sha256(reference.stems[stem.name]).digest()
        samples = np.frombuffer(reference.stems[stem.name], "<f4")
        assert stem.peak == np.abs(samples).max()


def test_get_stem_and_the_file_have_the_same_bytes(server, reference):
    for name in STEMS:
        pcm = bytes(reference.stems[name])
        assert get_stem(server.stub, reference.done.session_id, name) == pcm
        path = server.directory(reference.done.session_id) / "stems" / f"{name}.wav"
        assert path.read_bytes()[HEADER:] == pcm
        # Another reader agrees about format and length.
        audio, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE and audio.tobytes() == pcm


def test_the_command_line_has_the_same_bytes(binary, server, reference, mp3, tmp_path):
    song = tmp_path / "song.mp3"
    song.write_bytes(mp3)
    for options in ([], ["--server", f"http://{server.address}"]):
        out = tmp_path / f"out{len(options)}"
        subprocess.run([binary, "separate", song, "-o", out, "--offline", "--no-tags", *options], check=True)
        for name in STEMS:
            assert (out / "song" / f"{name}.wav").read_bytes()[HEADER:] == bytes(reference.stems[name])


@pytest.mark.parametrize("size", [7_919, 65_536, 1 << 20])
def test_chunk_sizes_change_nothing(server, reference, mp3, size):
    assert separate(server.stub, mp3, size=size).digests() == reference.digests()


def test_chunks_of_one_byte_change_nothing(server):
    # HTTP/2 allows some 8,400 unread frames of this size, so a server that cannot keep up for once is no failure.
    song = encode(music(1), "-b:a", "48k")
    assert len(song) < 8_000
    whole, bytewise = separate(server.stub, song), separate(server.stub, song, size=1)
    assert bytewise.error is None
    assert whole.digests() == bytewise.digests()


def test_random_chunk_sizes_change_nothing(server, reference, mp3):
    draw = random.Random(5)

    def messages():
        yield api.SeparateRequest(config=Config())
        offset = 0
        while offset < len(mp3):
            size = min(draw.choice([1, 3, 100, 4_096, 100_000, 1 << 20]), len(mp3) - offset)
            yield api.SeparateRequest(chunk=mp3[offset : offset + size])
            offset += size
        yield api.SeparateRequest(finish=api.Finish(total_bytes=len(mp3)))

    assert collect(server.stub.Separate(messages())).digests() == reference.digests()


def test_a_read_from_any_frame_yields_the_rest(server, reference):
    pcm = bytes(reference.stems["vocals"])
    session = reference.done.session_id
    for start, count in [(0, 1), (1, 100), (40_000, 40_000), (FRAMES - 1, 0), (FRAMES, 0), (FRAMES - 17_400, 99_999)]:
        expected = pcm[start * 8 : (start + count) * 8 if count else None]
        assert get_stem(server.stub, session, "vocals", start_frame=start, frame_count=count) == expected


@pytest.mark.parametrize("encoding, width, scale", [("S16LE", 2, 2**15), ("S24LE", 3, 2**23)])
def test_integers_are_the_rounded_floats(server, reference, encoding, width, scale):
    floats = np.frombuffer(reference.stems["drums"], "<f4").astype(np.float64)
    expected = np.clip(np.rint(floats * scale), -scale, scale - 1).astype(np.int32)
    value = config_pb2.Encoding.Value(f"ENCODING_{encoding}")
    pcm = get_stem(server.stub, reference.done.session_id, "drums", encoding=value)
    padded = np.frombuffer(pcm, np.uint8).reshape(-1, width)
    sign = np.where(padded[:, -1:] & 0x80, 0xFF, 0).astype(np.uint8)
    found = np.concatenate([padded] + [sign] * (4 - width), axis=1).copy().view("<i4")[:, 0]
    assert np.array_equal(found, expected)


def test_clipping_is_counted_and_one_gain_is_for_all(server, reference):
    session = reference.done.session_id
    s16 = config_pb2.ENCODING_S16LE
    loudest = max(stem.peak for stem in reference.done.stems)
    for gain, clips in [(50 / loudest, True), (0.99 / loudest, False)]:
        chunks = [response.chunk for name in STEMS for response in server.stub.GetStem(
            api.GetStemRequest(session_id=session, stem=name, encoding=s16, gain=gain))]
        clipped = sum(chunk.clipped_samples for chunk in chunks)
        floats = np.concatenate([np.frombuffer(reference.stems[name], "<f4") for name in STEMS])
        scaled = np.rint((floats * np.float32(gain)).astype(np.float64) * 2**15)
        assert clipped == np.sum((scaled > 32_767) | (scaled < -32_768))
        assert (clipped > 0) == clips


def test_accompaniment_is_everything_but_the_vocals(server, reference, mp3):
    result = separate(server.stub, mp3, Config(stems=["vocals", "accompaniment"]))
    assert list(result.stems) == ["vocals", "accompaniment"]
    assert result.stems["vocals"] == reference.stems["vocals"]
    others = sum(np.frombuffer(reference.stems[name], "<f4").astype(np.float64) for name in STEMS[:3])
    found = np.frombuffer(result.stems["accompaniment"], "<f4")
    assert np.abs(found - others).max() < 1e-5


@pytest.mark.parametrize("model, stem, rest", [("mini", "vocals", "accompaniment"), ("mini-spleeter", "drums", "no_drums")])
def test_everything_but_a_stem_may_be_the_mixture_without_it(server, model, stem, rest):
    """Also at the seams of windows, of which there are two or three here."""
    audio = music(9)
    config = Config(model=model, stems=[stem, rest], accompaniment=config_pb2.ACCOMPANIMENT_MINUS)
    result = separate(server.stub, wav(audio, subtype="FLOAT"), config)
    assert result.error is None
    both = sum(np.frombuffer(result.stems[name], "<f4").astype(np.float64) for name in (stem, rest))
    assert np.abs(both - audio.reshape(-1)).max() < 1e-5


def test_the_stems_of_the_built_in_models_sum_to_the_song(server):
    """Including a DC offset, which is removed before the model."""
    audio = 0.5 * music(7) + np.float32(0.02)
    for model in ("mini", "mini-spleeter"):
        for mode in (config_pb2.NORMALIZATION_STREAMING, config_pb2.NORMALIZATION_EXACT):
            result = separate(server.stub, wav(audio, subtype="FLOAT"), Config(model=model, normalization=mode))
            total = sum(np.frombuffer(pcm, "<f4").astype(np.float64) for pcm in result.stems.values())
            assert np.abs(total - audio.reshape(-1)).max() < 1e-5, model


def test_stems_at_the_sources_rate_are_as_long_as_the_source(server):
    audio = music(6.3)[: 6 * RATE + 1234]
    song = wav(audio, rate=48_000)
    config = Config(output=config_pb2.OutputFormat(rate=config_pb2.OUTPUT_RATE_SOURCE), stems=["vocals", "accompaniment"])
    result = separate(server.stub, song, config)
    assert result.error is None
    assert result.done.source.output_sample_rate == 48_000
    for name, pcm in result.stems.items():
        assert len(pcm) == len(audio) * 8, name
    again = separate(server.stub, song, config, size=1000)
    assert again.digests() == result.digests()


def test_raw_pcm_is_a_source_too(server, song):
    audio, _ = soundfile.read(__import__("io").BytesIO(song), dtype="int16")
    raw = config_pb2.RawPcm(encoding=config_pb2.ENCODING_S16LE, sample_rate=RATE, channels=2)
    from_raw = separate(server.stub, audio.tobytes(), Config(input=raw))
    assert from_raw.error is None
    assert from_raw.digests() == separate(server.stub, song).digests()


def test_two_modes_agree(server):
    """Up to an inaudible difference: streaming estimates the song's DC offset from the frames so far. Spleeter knows no level."""
    modes = config_pb2.NORMALIZATION_EXACT, config_pb2.NORMALIZATION_STREAMING
    song = encode(music(9), "-b:a", "192k")
    results = [separate(server.stub, song, Config(model="mini", normalization=mode)) for mode in modes]
    for name in STEMS:
        a, b = (np.frombuffer(result.stems[name], "<f4").reshape(-1, 2).astype(np.float64) for result in results)
        level, apart = np.fft.rfft(a, axis=0), np.fft.rfft(a - b, axis=0)
        deep = np.arange(len(level)) * RATE < 10 * len(a)
        assert np.abs(np.fft.irfft(apart * deep[:, None], len(a), axis=0)).max() < 1e-3
        level, apart = level[~deep], apart[~deep]
        assert 10 * np.log10(np.sum(np.abs(level) ** 2) / np.sum(np.abs(apart) ** 2)) > 70


def test_more_workers_change_nothing_but_who_computes(start):
    alone, three = start("--threads", "1"), start("--threads", "3", "--workers", "3")
    # A segment for each.
    song = encode(music(14), "-b:a", "192k")
    results = [separate(server.stub, song) for server in (alone, three)]
    assert [result.done.engine.threads for result in results] == [1, 1]
    assert results[0].stems == results[1].stems
