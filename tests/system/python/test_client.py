"""The Python client, installed into a clean environment, against a running server: songs in, stems out."""
import hashlib
import importlib.util

import numpy as np
import pytest
import soundfile
from stemwire.v1 import config_pb2, session_pb2

from ..audio import RATE, encode, music, wav
from ..common import wait_for
from ..repository import ROOT
from ..stemwire_client import request_id
from .lasting import sessions

CLIENT = ROOT / "clients" / "python"


def test_the_committed_stubs_are_generated_from_the_proto(tmp_path):
    spec = importlib.util.spec_from_file_location("generate", CLIENT / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    committed = {path.name: path.read_text("utf-8") for path in (CLIENT / "src/stemwire/v1").iterdir() if path.is_file()}
    assert generate.generate(tmp_path) == committed, "the proto has changed: run clients/python/generate.py"


def test_stems_are_byte_for_byte_those_of_the_command_line(server, program, cli, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(5)))
    cli("separate", "song.wav", "-o", "cli", "--format", "wav-f32", "--no-tags", "--model", "mini-spleeter")
    cli("separate", "song.wav", "-o", "cli24", "--format", "wav-s24", "--no-tags", "--model", "mini-spleeter")
    output = program("""
client = stemwire.Client(SERVER)
saved = client.separate_to("song.wav", "files")
client.separate_to("song.wav", "files24", encoding="s24")
pieces = {}
for chunk in client.separate("song.wav"):
    assert chunk.start_frame == sum(map(len, pieces.get(chunk.stem, [])))
    assert (chunk.sample_rate, chunk.samples.dtype, chunk.samples.shape) == (44100, np.float32, (chunk.frames, 2))
    pieces.setdefault(chunk.stem, []).append(chunk.samples)
stems = stemwire.separate("song.wav", server=SERVER).stems
assert all(np.array_equal(np.concatenate(pieces[name]), stem.samples) for name, stem in stems.items())
say(files=sorted(map(str, saved.files.values())), names=list(stems), digests=digests(stems), rate=stems["vocals"].sample_rate,
    model=saved.session.engine.model, state=saved.session.state.name, seconds=len(stems["vocals"].samples) / saved.sample_rate)
""", server.address).end()
    for theirs, ours in [("cli", "files"), ("cli24", "files24")]:
        written = {path.name: path.read_bytes() for path in (tmp_path / theirs / "song").glob("*.wav")}
        assert {path.name: path.read_bytes() for path in (tmp_path / ours).iterdir()} == written
    assert output.files == [f"files/{name}" for name in sorted(p.name for p in (tmp_path / "files").iterdir())]
    for name in output.names:
        audio, rate = soundfile.read(tmp_path / "files" / f"{name}.wav", dtype="float32")
        assert hashlib.sha256(audio.tobytes()).hexdigest() == output.digests[name] and rate == output.rate
    assert (output.names, output.model, output.state, output.seconds) == (["drums", "bass", "other", "vocals"], "mini-spleeter", "DONE", 5)


def test_chunks_come_while_the_song_is_still_being_sent(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(8)))
    output = program("""
heard = threading.Event()

def song():
    whole = open("song.wav", "rb").read()
    yield whole[:1_000_000]
    # The rest is sent only once a stem has arrived.
    assert heard.wait(60)
    yield whole[1_000_000:]

sent = stemwire.Client(SERVER).separate(song(), file_name="live", model="mini")
for chunk in sent:
    heard.set()
say(frames=chunk.start_frame + chunk.frames, state=sent.session.state.name, name=sent.session.file_name)
""", server.address).end()
    assert (output.frames, output.state, output.name) == (8 * RATE, "DONE", "live")


def test_a_song_may_be_anything_that_holds_one(server, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    np.save(tmp_path / "short.npy", soundfile.read(tmp_path / "short.wav", dtype="int16")[0])
    output = program("""
import io, pathlib, subprocess
whole = pathlib.Path("short.wav").read_bytes()
ints = np.load("short.npy")
behind = io.BytesIO(b"something else" + whole)
behind.seek(14)
pipe = subprocess.Popen(["cat", "short.wav"], stdout=subprocess.PIPE).stdout
songs = dict(
    text="short.wav", path=pathlib.Path("short.wav"), bytes=whole, view=memoryview(whole), file=open("short.wav", "rb"),
    behind=behind, pipe=pipe, iterator=(whole[at:at + 999_999] for at in range(0, len(whole), 999_999)),
)
client = stemwire.Client(SERVER)
found = {name: digests(client.separate(song).stems) for name, song in songs.items()}
found["ints"] = digests(client.separate(ints, sample_rate=44100).stems)
found["floats"] = digests(client.separate(ints / 32768, sample_rate=44100).stems)
raw = stemwire.Raw("s16", 44100)
found["raw"] = digests(client.separate(ints.tobytes(), raw=raw).stems)
found["mono"] = digests(client.separate(ints[:, 0], sample_rate=44100).stems)
found["mono as stereo"] = digests(client.separate(ints[:, [0, 0]], sample_rate=44100).stems)
say(**{name: value for name, value in found.items()})
""", server.address).end()
    found = dict(vars(output))
    del found["err"]
    mono = found.pop("mono")
    assert mono == found.pop("mono as stereo") != whole
    assert len(found) == 11 and all(digests == whole for digests in found.values())
    # A path and a file have names.
    assert [session.config.file_name for session in sessions(server)].count("short.wav") == 3


def test_a_session_has_what_its_song_is(server, program, tmp_path):
    (tmp_path / "song.mp3").write_bytes(encode(music(1), "-ac", "1", "-ar", "48000", "-metadata", "title=Ça ira", "-metadata", "track=3"))
    output = program("""
source = stemwire.Client(SERVER).separate("song.mp3").wait().source
say(notes=[(note.kind.name, note.before, note.after, note.count) for note in source.notes], seconds=source.duration_seconds,
    title=source.tags.title, number=source.tags.track_number, album=source.tags.album)
""", server.address).end()
    assert output.notes == [["RESAMPLED", 48_000, RATE, 0], ["BAND_LOST", 24_000, RATE // 2, 0], ["MONO_COPIED", 1, 2, 0]]
    assert (round(output.seconds, 3), output.title, output.number, output.album) == (1.0, "Ça ira", 3, "")


def test_every_option_reaches_the_server(server, program, short, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    name = request_id()
    output = program("""
separation = stemwire.Client(SERVER).separate(
    "short.wav", model="mini", stems=["accompaniment", "bass"], normalization="exact", allow_fallback=False, overlap=0.5,
    accompaniment="minus", mask_extension="zeros", encoding="s16", rate="source", gain=0.5, file_name="label",
    request_id=ARGUMENTS[0], on_disconnect="continue", start_s=0.5, end_s=1.5, track=1, channels="source")
say(id=separation.session_id, stems=list(separation.stems), frames=len(separation.stems["bass"].samples))
""", server.address, name).end()
    config = server.get(output.id).config
    assert (output.stems, output.frames) == (["accompaniment", "bass"], RATE)
    assert config == config_pb2.SeparationConfig(
        model="mini", stems=["accompaniment", "bass"], normalization=config_pb2.NORMALIZATION_EXACT, allow_fallback=False,
        overlap=0.5, accompaniment=config_pb2.ACCOMPANIMENT_MINUS, mask_extension=config_pb2.MASK_EXTENSION_ZEROS,
        output=config_pb2.OutputFormat(encoding=config_pb2.ENCODING_S16LE, rate=config_pb2.OUTPUT_RATE_SOURCE, gain=0.5,
                                       channels=config_pb2.OUTPUT_CHANNELS_SOURCE),
        file_name="label", request_id=name, on_disconnect=config_pb2.ON_DISCONNECT_CONTINUE,
        start_s=0.5, end_s=1.5, track=1)


def test_integers_are_the_same_numbers_rounded(server, program, short, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    output = program("""
client = stemwire.Client(SERVER)
floats = client.separate("short.wav").stems
far = {}
for encoding, step in [("s16", 2.0**-15), ("s24", 2.0**-23)]:
    stems = client.separate("short.wav", encoding=encoding).stems
    far[encoding] = max(float(np.abs(stems[name].samples - floats[name].samples).max()) / step for name in floats)
loud = client.separate("short.wav", encoding="s16", gain=100)
peak = max(float(np.abs(stem.samples).max()) for stem in loud.stems.values())
say(**far, clipped=loud.clipped_samples, peak=peak)
""", server.address).end()
    # Half a step is the rounding; floats near full scale have 24 bits themselves.
    assert 0 < output.s16 <= 0.51 and 0 < output.s24 <= 1
    assert output.clipped > 0 and output.peak == 1


def test_a_song_of_one_channel_has_stems_of_one_on_request(server, program, cli, tmp_path):
    soundfile.write(tmp_path / "mono.wav", music(1)[:40_001, 0], RATE, subtype="FLOAT")
    cli("separate", "mono.wav", "-o", "cli", "--channels", "source", "--format", "wav-s24", "--no-tags", "--model", "mini-spleeter")
    output = program("""
client = stemwire.Client(SERVER)
stereo = client.separate("mono.wav").stems
separation = client.separate("mono.wav", channels="source")
mono = separation.stems
client.separate_to("mono.wav", "files", channels="source", encoding="s24")
read = [chunk.samples for chunk in client.stem(separation.session_id, "bass", channels="source")]
watched = client.watch(separation.session_id, stems=["bass"], channels="source").stems["bass"].samples
far = max(float(np.abs(stem.samples[:, 0] - stereo[name].samples.mean(axis=1)).max()) for name, stem in mono.items())
say(shape=mono["bass"].samples.shape, far=far, read=np.array_equal(np.concatenate(read), mono["bass"].samples),
    watched=np.array_equal(watched, mono["bass"].samples))
""", server.address).end()
    assert output.shape == [40_001, 1] and output.far < 2e-7 and output.read and output.watched
    expected = {path.name: path.read_bytes() for path in (tmp_path / "cli" / "mono").glob("*.wav")}
    assert {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()} == expected


def test_progress_is_sent_until_the_session_is_done(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(14)))
    output = program("""
received, amid = [], threading.Event()

def take(progress):
    received.append(progress)
    if progress.finished_frames:
        amid.set()

def song():
    with open("song.wav", "rb") as file:
        yield file.read(1_000_000)
        # The rest is sent only once finished frames have been reported.
        assert amid.wait(60)
        yield file.read()

separation = stemwire.Client(SERVER).separate(song(), model="mini", on_progress=take)
separation.wait()
say(finished=[p.finished_frames for p in received], last=received[-1].__dict__, fraction=received[-1].fraction,
    kept=separation.progress == received[-1])
""", server.address).end()
    assert output.finished == sorted(output.finished) and any(0 < frames < 14 * RATE for frames in output.finished)
    assert output.last["finished_frames"] == output.last["total_frames"] == output.last["decoded_frames"] == 14 * RATE
    assert output.last["state"] == "State.DONE" and output.fraction == 1 and output.kept


def test_a_slow_consumer_costs_no_memory(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(60)))
    running = program("""
client = stemwire.Client(SERVER)
client.separate_to(np.zeros((44100, 2), np.float32), "warm", sample_rate=44100)
before = rss()
separation = client.separate("song.wav", model="mini-spleeter", stems=["vocals", "accompaniment", "drums", "bass", "other"])
next(separation)
say(id=separation.session_id)
wait()
after = rss()
total = 0
for chunk in separation:
    total += len(chunk.pcm)
say(grew=after - before, total=total)
""", server.address)
    session_id = running.heard().id
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_DONE, 120)
    running.go()
    output = running.end()
    # Unread frames wait at the server.
    assert output.total > 100e6 and output.grew < 40e6, output


def test_what_is_kept_of_a_song_that_comes_once_is_bounded(program):
    output = program("""
from stemwire import _upload
stream = _upload.StreamUpload(bytes([number]) * 1_000_000 for number in range(40))
offset = 0
while piece := stream.read(offset):
    offset += len(piece)
kept = [at for at in range(0, 40_000_000, 1_000_000) if any(start <= at < start + len(p) for start, p in stream._kept)]
again = stream.read(offset - 16_000_000)[:1]
try:
    stream.read(5)
except OSError as error:
    lost = str(error)
whole = hashlib.sha256(b"".join(bytes([number]) * 1_000_000 for number in range(40))).hexdigest()
say(kept=len(kept), again=again[0], lost=lost, hash=stream.sha256(offset).hex() == whole)
""", "").end()
    assert 16 < output.kept <= 18 and output.again == 24 and output.hash
    assert "byte 5," in output.lost and "16 MiB" in output.lost


@pytest.mark.parametrize("encoding, frame", [("f32", 8), ("s24", 6), ("s16", 4)])
def test_files_beyond_4_gib_are_read_by_others(program, tmp_path, encoding, frame):
    frames = (5 << 30) // frame
    program("""
from stemwire import _wav
encoding, size = ARGUMENTS
with open("long.wav", "wb") as file:
    file.write(_wav.header(encoding, 48_000, int(size)))
    file.truncate(file.tell() + int(size))
say()
""", "", encoding, frames * frame).end()
    found = soundfile.info(tmp_path / "long.wav")
    assert (found.format, found.frames, found.samplerate, found.channels) == ("RF64", frames, 48_000, 2)
