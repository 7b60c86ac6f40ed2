"""The Python client, installed into a clean environment, against a running server."""
import hashlib
import importlib.util
import uuid

import numpy as np
import pytest
import soundfile
import trustme
from conftest import RATE, ROOT, Server, free_address, music, wav
from stemwire.v1 import config_pb2, session_pb2
from stemwire_client import api, request_id, separate
from test_fallback import installed
from test_resume import wait_for

CLIENT = ROOT / "clients" / "python"
TOKEN = "a-very-secret-token"


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    """A server whose own choice is the quicker model."""
    server = Server(binary, tmp_path_factory.mktemp("data"), "--engines", "mini-spleeter,mini")
    yield server
    server.close()


@pytest.fixture(scope="module")
def short() -> bytes:
    """Two seconds."""
    return wav(music(2))


@pytest.fixture(scope="module")
def whole(server, short) -> dict:
    """What another client gets for it."""
    return separate(server.stub, short).digests()


@pytest.fixture
def lasting(binary, tmp_path):
    """A server that has one address for all its lives, and a song of several segments with its digests."""
    # One engine: two deaths at one segment would be laid to it, and another would go on.
    server = Server(binary, tmp_path / "data", "--engines", "mini", listen=free_address())
    server.song = tmp_path / "lasting.wav"
    server.song.write_bytes(wav(music(8)))
    server.whole = separate(server.stub, server.song.read_bytes()).digests()
    yield server
    server.close()


def sessions(server) -> list:
    return list(server.stub.ListSessions(api.ListSessionsRequest()).sessions)


def newest(lasting) -> str:
    """The session that a program has begun, beside the one of the fixture."""
    wait_for(lambda: len(sessions(lasting)) == 2)
    return sessions(lasting)[0].session_id


def test_the_stubs_are_those_that_the_proto_gives(tmp_path):
    spec = importlib.util.spec_from_file_location("generate", CLIENT / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    committed = {path.name: path.read_text("utf-8") for path in (CLIENT / "src/stemwire/v1").iterdir() if path.is_file()}
    assert generate.generate(tmp_path) == committed, "the proto has changed: run clients/python/generate.py"


def test_stems_are_byte_for_byte_those_of_the_command_line(server, program, cli, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(5)))
    cli("separate", "song.wav", "-o", "cli", "--format", "wav-f32", "--model", "mini-spleeter")
    cli("separate", "song.wav", "-o", "cli24", "--format", "wav-s24", "--model", "mini-spleeter")
    said = program("""
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
        written = {path.name: path.read_bytes() for path in (tmp_path / theirs / "song").iterdir()}
        assert {path.name: path.read_bytes() for path in (tmp_path / ours).iterdir()} == written
    assert said.files == [f"files/{name}" for name in sorted(p.name for p in (tmp_path / "files").iterdir())]
    for name in said.names:
        audio, rate = soundfile.read(tmp_path / "files" / f"{name}.wav", dtype="float32")
        assert hashlib.sha256(audio.tobytes()).hexdigest() == said.digests[name] and rate == said.rate
    assert (said.names, said.model, said.state, said.seconds) == (["drums", "bass", "other", "vocals"], "mini-spleeter", "DONE", 5)


def test_chunks_come_while_the_song_is_still_being_sent(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(8)))
    said = program("""
heard = threading.Event()

def song():
    whole = open("song.wav", "rb").read()
    yield whole[:1_000_000]
    # The rest is sent only once something has come back.
    assert heard.wait(60)
    yield whole[1_000_000:]

sent = stemwire.Client(SERVER).separate(song(), file_name="live", model="mini")
for chunk in sent:
    heard.set()
say(frames=chunk.start_frame + chunk.frames, state=sent.session.state.name, name=sent.session.file_name)
""", server.address).end()
    assert (said.frames, said.state, said.name) == (8 * RATE, "DONE", "live")


def test_a_song_may_be_anything_that_holds_one(server, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    np.save(tmp_path / "short.npy", soundfile.read(tmp_path / "short.wav", dtype="int16")[0])
    said = program("""
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
    found = dict(vars(said))
    del found["err"]
    mono = found.pop("mono")
    assert mono == found.pop("mono as stereo") != whole
    assert len(found) == 11 and all(digests == whole for digests in found.values())
    # A path and a file say what they are called.
    assert [session.config.file_name for session in sessions(server)].count("short.wav") == 3


def test_every_option_reaches_the_server(server, program, short, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    name = request_id()
    said = program("""
separation = stemwire.Client(SERVER).separate(
    "short.wav", model="mini", stems=["accompaniment", "bass"], normalization="exact", allow_fallback=False, overlap=0.5,
    accompaniment="minus", mask_extension="zeros", encoding="s16", rate="source", gain=0.5, file_name="label",
    request_id=ARGUMENTS[0], on_disconnect="continue")
say(id=separation.session_id, stems=list(separation.stems), frames=len(separation.stems["bass"].samples))
""", server.address, name).end()
    config = server.get(said.id).config
    assert (said.stems, said.frames) == (["accompaniment", "bass"], 2 * RATE)
    assert config == config_pb2.SeparationConfig(
        model="mini", stems=["accompaniment", "bass"], normalization=config_pb2.NORMALIZATION_EXACT, allow_fallback=False,
        overlap=0.5, accompaniment=config_pb2.ACCOMPANIMENT_MINUS, mask_extension=config_pb2.MASK_EXTENSION_ZEROS,
        output=config_pb2.OutputFormat(encoding=config_pb2.ENCODING_S16LE, rate=config_pb2.OUTPUT_RATE_SOURCE, gain=0.5),
        file_name="label", request_id=name, on_disconnect=config_pb2.ON_DISCONNECT_CONTINUE)


def test_integers_are_the_same_numbers_rounded(server, program, short, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    said = program("""
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
    assert 0 < said.s16 <= 0.51 and 0 < said.s24 <= 1
    assert said.clipped > 0 and said.peak == 1


def test_progress_is_told_until_all_is_done(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(14)))
    said = program("""
told, amid = [], threading.Event()

def take(progress):
    told.append(progress)
    if progress.finished_frames:
        amid.set()

def song():
    with open("song.wav", "rb") as file:
        yield file.read(1_000_000)
        # The rest is sent only once it has been told that something is finished.
        assert amid.wait(60)
        yield file.read()

separation = stemwire.Client(SERVER).separate(song(), model="mini", on_progress=take)
separation.wait()
say(finished=[p.finished_frames for p in told], last=told[-1].__dict__, fraction=told[-1].fraction,
    kept=separation.progress == told[-1])
""", server.address).end()
    assert said.finished == sorted(said.finished) and any(0 < frames < 14 * RATE for frames in said.finished)
    assert said.last["finished_frames"] == said.last["total_frames"] == said.last["decoded_frames"] == 14 * RATE
    assert said.last["state"] == "State.DONE" and said.fraction == 1 and said.kept


def test_another_engine_is_never_silent(start, program, short, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    server = start("--models-dir", str(installed(tmp_path / "models", "first", damaged=True)[0]), "--engines", "first,mini")
    said = program("""
client = stemwire.Client(SERVER)
told = []
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    quiet = client.separate("short.wav", on_engine_change=told.append)
    quiet.wait()
    assert not warned
    saved = client.separate_to("short.wav", "out")
(change,) = told
assert quiet.engine_changes == told and list(quiet.session.engine_changes) == told
try:
    client.separate("short.wav", model="first", allow_fallback=False).wait()
except stemwire.StemwireError as error:
    refused = error.reason
    request_id = error.request_id
say(before=change.before.model, after=change.after.model, frame=change.frame, reason=change.reason,
    warned=[[w.category.__name__, str(w.message)] for w in warned], saved=len(saved.session.engine_changes), refused=refused,
    request_id=request_id)
""", server.address).end()
    assert (said.before, said.after, said.frame, said.reason) == ("first", "mini", 0, "MODEL_UNAVAILABLE")
    assert str(uuid.UUID(said.request_id)) == said.request_id
    ((category, text),) = said.warned
    assert category == "EngineChangeWarning" and "SHA-256" in text and "mini" in text
    assert (said.saved, said.refused) == (1, "MODEL_UNAVAILABLE")


def test_errors_carry_code_reason_remedy_and_numbers(server, program, tmp_path):
    (tmp_path / "text.mp3").write_text("This is no music.\n" * 100)
    (tmp_path / "empty.wav").touch()
    said = program("""
client = stemwire.Client(SERVER)
created = client.create_session()
unknown = "00000000-0000-4000-8000-000000000000"
tries = dict(
    text=lambda: client.separate_to("text.mp3", "out"),
    empty=lambda: client.separate("empty.wav").stems,
    model=lambda: client.separate("text.mp3", model="nosuch"),
    stem=lambda: client.separate("text.mp3", stems=["kazoo"]),
    session=lambda: client.session(unknown),
    watch=lambda: client.watch(unknown),
    gap=lambda: client.upload_chunk(created.session_id, 5, b"x"),
    reads=lambda: next(client.stem(created.session_id, "kazoo")),
    missing=lambda: client.separate("nosuch.mp3"),
    choice=lambda: client.separate("text.mp3", encoding="mp3"),
    option=lambda: client.separate("text.mp3", stem="vocals"),
    array=lambda: client.separate(np.zeros((5, 6), np.float32), sample_rate=44100),
    rate=lambda: client.separate(np.zeros(5, np.float32)),
    address=lambda: stemwire.Client("ftp://nowhere"),
    broken_song=lambda: client.separate(1 / 0 for _ in range(1)).stems,
    nobody=lambda: stemwire.Client("127.0.0.1:1").health(),
    nobody_there=lambda: stemwire.Client("127.0.0.1:1").separate("text.mp3"),
)
found = {}
for name, attempt in tries.items():
    try:
        attempt()
    except Exception as error:
        found[name] = dict(vars(error), kind=type(error).__name__, text=str(error))
say(**found)
""", server.address).end()

    def check(name: str, kind: str, code: str, reason: str, cause: str, remedy: str) -> dict:
        error = getattr(said, name)
        assert (error["kind"], error["code"], error["reason"]) == (kind, code, reason)
        assert cause in error["message"] and remedy in error["remedy"], error
        assert error["text"] == f"{error['message']}; {error['remedy']}"
        return error["metadata"]

    check("text", "SongError", "INVALID_ARGUMENT", "FORMAT_UNKNOWN", "text", "FLAC")
    check("empty", "SongError", "INVALID_ARGUMENT", "UPLOAD_EMPTY", "", "")
    check("model", "StemwireError", "INVALID_ARGUMENT", "MODEL_UNKNOWN", "nosuch", "name one of the models")
    check("stem", "StemwireError", "INVALID_ARGUMENT", "STEM_UNKNOWN", "kazoo", "take one of the stems")
    for name in ("session", "watch"):
        check(name, "SessionNotFound", "NOT_FOUND", "SESSION_NOT_FOUND", "00000000", "send the song again")
    assert check("gap", "StemwireError", "OUT_OF_RANGE", "UPLOAD_GAP", "byte 5", "continue")["committed_bytes"] == "0"
    check("reads", "StemwireError", "NOT_FOUND", "STEM_UNKNOWN", "kazoo", "")
    for name in ("nobody", "nobody_there"):
        check(name, "Unreachable", "UNAVAILABLE", "", "127.0.0.1:1", "stemwire serve")
    kinds = {name: getattr(said, name)["kind"] for name in ("missing", "choice", "option", "array", "rate", "address", "broken_song")}
    assert kinds == dict(missing="FileNotFoundError", choice="ValueError", option="TypeError", array="ValueError",
                         rate="TypeError", address="ValueError", broken_song="ZeroDivisionError")
    assert "f32, s16, s24" in said.choice["text"] and "stem;" in said.option["text"] and "http://" in said.address["text"]
    assert not (tmp_path / "out").exists(), "nothing is left of a song that was none"


def test_tls_and_a_token(start, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    authority = trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    server = start("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"), "--token", TOKEN,
                   "--engines", "mini-spleeter")
    said = program("""
url = f"https://{SERVER}"
stems = stemwire.Client(url, token=ARGUMENTS[0], ca="ca.pem").separate("short.wav").stems
errors = []
for options in [dict(token="another token of length", ca="ca.pem"), dict(ca="ca.pem"), dict(token=ARGUMENTS[0], ca="other.pem")]:
    try:
        stemwire.Client(url, **options).health()
    except stemwire.StemwireError as error:
        errors.append([type(error).__name__, error.code, error.reason])
say(digests=digests(stems), errors=errors)
""", server.address, TOKEN).end()
    assert said.digests == whole
    refused = ["StemwireError", "UNAUTHENTICATED", "TOKEN_MISSING"]
    assert said.errors == [refused, refused, ["Unreachable", "UNAVAILABLE", ""]]
    # The same by variables, without a word in the program.
    variables = {"STEMWIRE_SERVER": f"https://{server.address}", "STEMWIRE_TOKEN": TOKEN, "STEMWIRE_TLS_CA": str(tmp_path / "ca.pem")}
    assert program("say(digests=digests(stemwire.separate('short.wav').stems))", "", **variables).end().digests == whole


@pytest.mark.parametrize("song", ["file", "iterator"])
def test_a_server_that_dies_amid_the_upload_gets_the_rest(lasting, program, song):
    running = program("""
path, kind = ARGUMENTS
whole = open(path, "rb").read()

class Slow:
    \"\"\"A file that stops after two thirds until it is let go.\"\"\"
    def __init__(self):
        self.file, self.held = open(path, "rb"), False
    def seekable(self): return True
    def tell(self): return self.file.tell()
    def seek(self, position): return self.file.seek(position)
    def read(self, size):
        if self.file.tell() >= 900_000 and not self.held:
            self.held = True
            say(waits=True)
            wait()
        return self.file.read(size)

def pieces():
    file = Slow()
    while piece := file.read(70_000):
        yield piece

again = []
retry = stemwire.Retry(attempts=400, first_pause=0.1, longest_pause=0.5)
client = stemwire.Client(SERVER, retry=retry)
separation = client.separate(Slow() if kind == "file" else pieces(), on_reconnect=lambda error, pause: again.append(error.code))
stems = separation.stems
say(digests=digests(stems), again=len(again), id=separation.session_id)
""", lasting.address, lasting.song, song)
    assert running.heard().waits
    session_id = newest(lasting)
    wait_for(lambda: lasting.get(session_id).committed_bytes >= 900_000)
    lasting.kill()
    lasting.restart()
    running.go()
    said = running.end()
    assert said.digests == lasting.whole and said.again >= 1
    assert said.id == session_id and len(sessions(lasting)) == 2, "it is one session"


def test_a_server_that_dies_amid_the_stems_goes_on_with_them(lasting, program):
    running = program("""
retry = stemwire.Retry(attempts=400, first_pause=0.1, longest_pause=0.5)
client = stemwire.Client(SERVER, retry=retry)
again, pieces = [], {}
separation = client.separate(ARGUMENTS[0], on_reconnect=lambda error, pause: again.append(error.code))
for number, chunk in enumerate(separation):
    pieces.setdefault(chunk.stem, []).append(chunk)
    if number == 5:
        say(waits=True)
        wait()
stems = {name: stemwire.Stem(name, np.concatenate([c.samples for c in chunks]), 44100) for name, chunks in pieces.items()}
starts = all(a.start_frame + a.frames == b.start_frame for chunks in pieces.values() for a, b in zip(chunks, chunks[1:]))
say(digests=digests(stems), again=len(again), id=separation.session_id, follow=starts)
""", lasting.address, lasting.song)
    assert running.heard().waits
    session_id = newest(lasting)
    lasting.kill()
    lasting.restart()
    running.go()
    said = running.end()
    assert said.digests == lasting.whole and said.again >= 1 and said.follow
    assert len(sessions(lasting)) == 2

    # One stem of a session that is there, with the server dying amid the reading.
    reading = program("""
client = stemwire.Client(SERVER, retry=stemwire.Retry(attempts=400, first_pause=0.1, longest_pause=0.5))
chunks = client.stem(ARGUMENTS[0], "vocals")
pcm = next(chunks).pcm
say(waits=True)
wait()
pcm += b"".join(chunk.pcm for chunk in chunks)
part = list(client.stem(ARGUMENTS[0], "vocals", start_frame=1000, frame_count=500))
assert b"".join(chunk.pcm for chunk in part) == pcm[8000:12000] and part[0].start_frame == 1000
assert [c.start_frame for c in client.stem(ARGUMENTS[0], "vocals", start_frame=100_000)][0] == 100_000
say(digest=hashlib.sha256(pcm).hexdigest())
""", lasting.address, session_id)
    assert reading.heard().waits
    lasting.kill()
    lasting.restart()
    reading.go()
    assert reading.end().digest == lasting.whole["vocals"]


def test_another_process_goes_on_where_one_was_killed(lasting, program):
    name = request_id()
    first = program("""
def song():
    yield open(ARGUMENTS[0], "rb").read()[:1_000_000]
    say(waits=True)
    wait()
stemwire.Client(SERVER).separate(song(), request_id=ARGUMENTS[1], file_name="lasting.wav").wait()
""", lasting.address, lasting.song, name)
    first.heard()
    session_id = newest(lasting)
    wait_for(lambda: lasting.get(session_id).committed_bytes == 1_000_000)
    first.kill()
    wait_for(lambda: lasting.get(session_id).state == session_pb2.SESSION_STATE_PAUSED)
    said = program("""
separation = stemwire.Client(SERVER).separate(ARGUMENTS[0], request_id=ARGUMENTS[1])
held = separation.session.committed_bytes
say(digests=digests(separation.stems), id=separation.session_id, held=held)
""", lasting.address, lasting.song, name).end()
    assert (said.id, said.held, said.digests) == (session_id, 1_000_000, lasting.whole)


def test_an_upload_in_steps_is_followed_from_elsewhere(server, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    said = program("""
client = stemwire.Client(SERVER)
created = client.create_session(file_name="steps")
assert client.upload_chunk(created.session_id, 0, open("short.wav", "rb").read(100_000)) == 100_000
watched = client.watch(created.session_id)
sent = threading.Thread(target=client.upload, args=(created.session_id, "short.wav"))
sent.start()
stems = watched.stems
sent.join()
# From a frame on, some stems, in another form.
tail = client.watch(created.session_id, stems=["bass"], start_frame=80_000, encoding="s16")
pieces = list(tail)
say(digests=digests(stems), frames=sum(chunk.frames for chunk in pieces), kinds=sorted({c.stem for c in pieces}),
    upload=client.session(created.session_id).upload_complete, start=pieces[0].start_frame)
""", server.address).end()
    assert said.digests == whole and said.upload
    assert (said.frames, said.kinds, said.start) == (2 * RATE - 80_000, ["bass"], 80_000)


def test_a_separation_is_cancelled_or_left(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(60)))
    said = program("""
client = stemwire.Client(SERVER)
cancel = lambda progress: progress.finished_frames and separation.cancel()
separation = client.separate("song.wav", model="mini", on_progress=cancel)
try:
    separation.save("out")
except stemwire.SessionCancelled as error:
    reason = error.reason
left = client.separate("song.wav", model="mini")
for chunk in left:
    break
left.close()
with client.separate("song.wav", model="mini", on_disconnect="cancel") as within:
    next(within)
say(cancelled=separation.session_id, reason=reason, left=left.session_id, within=within.session_id)
""", server.address).end()
    assert said.reason == "SESSION_CANCELLED"
    assert server.get(said.cancelled).state == session_pb2.SESSION_STATE_CANCELLED
    assert not list(tmp_path.glob("out/*")), "no half a stem is left"
    wait_for(lambda: server.get(said.left).state == session_pb2.SESSION_STATE_PAUSED)
    wait_for(lambda: server.get(said.within).state == session_pb2.SESSION_STATE_CANCELLED)


def test_sessions_are_listed_read_and_deleted(start, program, short):
    server = start()
    said = program("""
client = stemwire.Client(SERVER)
made = [client.create_session(file_name=f"{number}.wav").session_id for number in range(3)]
listed = [session.file_name for session in client.sessions(page_size=2)]
ended = client.cancel(made[0])
client.delete(made[1])
health, (model, *_) = client.health(), client.models()
say(listed=listed, ended=ended.state.name, left=[s.session_id for s in client.sessions()], made=made, serving=health.serving,
    version=health.version, runtime=health.runtime, model=model.name, stems=model.stems, rate=model.sample_rate,
    usable=model.usable, execution=vars(model.execution), same=model.execution == health.engines[0].execution, open=health.open_sessions, created=client.session(made[2]).create_time.isoformat())
""", server.address).end()
    assert said.listed == ["2.wav", "1.wav", "0.wav"] and said.ended == "CANCELLED"
    assert said.left == [said.made[2], said.made[0]]
    assert (said.serving, said.model, said.usable, said.rate) == (True, "mini", True, RATE)
    assert said.execution == {"execution_provider": "cpu", "precision": "f32", "reason": "asked for", "trials": []} and said.same
    assert "onnxruntime" in said.runtime and said.stems == ["drums", "bass", "other", "vocals"]
    assert said.created == server.get(said.made[2]).create_time.ToJsonString().replace("Z", "000+00:00")


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
    said = running.end()
    # What waits for a consumer waits at the server.
    assert said.total > 100e6 and said.grew < 40e6, said


def test_asyncio_has_all_of_it(server, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    said = program("""
import io
from stemwire import aio

async def pieces():
    with open("short.wav", "rb") as file:
        while piece := file.read(100_000):
            await asyncio.sleep(0)
            yield piece

async def main():
    async with aio.Client(SERVER) as client:
        # Several at once, of which one is iterated.
        iterated, collected, saved = await asyncio.gather(
            client.separate(pieces(), file_name="pieces"), client.separate("short.wav"), client.separate_to("short.wav", "out"))
        parts, told = {}, []
        async for chunk in iterated:
            parts.setdefault(chunk.stem, []).append(chunk.samples)
        found = dict(
            iterated={name: stemwire.Stem(name, np.concatenate(part), 44100) for name, part in parts.items()},
            collected=await collected.stems(),
            watched=await (await client.watch(saved.session.session_id, on_progress=told.append)).stems())
        assert told and iterated.session.state is stemwire.State.DONE
        created = await client.create_session()
        uploaded = await client.upload(created.session_id, io.BytesIO(open("short.wav", "rb").read()))
        found["uploaded"] = await (await client.watch(created.session_id)).stems()
        part = [chunk async for chunk in client.stem(created.session_id, "bass", start_frame=100, frame_count=50)]
        assert np.array_equal(np.concatenate([c.samples for c in part]), found["uploaded"]["bass"].samples[100:150])
        errors = []
        for attempt in (client.separate(b"no music" * 100), client.session("nonsense"), client.watch(created.session_id, stems=["kazoo"]),
                        aio.Client("127.0.0.1:1").health(), client.separate("short.wav", stem="vocals")):
            try:
                got = await attempt
                await got.wait()
            except Exception as error:
                errors.append([type(error).__name__, getattr(error, "reason", "")])
        noise = np.random.default_rng(1).normal(size=(2_000_000, 2)).astype(np.float32) * 0.1
        cancel = lambda progress: progress.finished_frames and asyncio.ensure_future(cancelled.cancel())
        cancelled = await client.separate(noise, sample_rate=44100, model="mini", on_progress=cancel)
        try:
            await cancelled.save("cancelled")
        except stemwire.SessionCancelled as error:
            errors.append([type(error).__name__, error.reason])
        async with await client.separate(noise, sample_rate=44100, model="mini") as left:
            async for chunk in left:
                break
        ids = [session.session_id async for session in client.sessions(page_size=3)]
        await client.delete(created.session_id)
        models, health = await client.models(), await client.health()
        say(digests={name: digests(stems) for name, stems in found.items()}, errors=errors, health=health.serving, left=left.session_id,
            complete=uploaded.upload_complete, known=created.session_id in ids and len(ids) == len(set(ids)), model=models[0].name,
            files=sorted(map(str, saved.files.values())), gone=created.session_id)

asyncio.run(main())
""", server.address).end()
    assert list(said.digests.values()) == [whole] * 4
    assert said.errors == [["SongError", "FORMAT_UNKNOWN"], ["StemwireError", "SESSION_ID_INVALID"], ["StemwireError", "STEM_UNKNOWN"],
                           ["Unreachable", ""], ["TypeError", ""], ["SessionCancelled", "SESSION_CANCELLED"]]
    assert (said.health, said.complete, said.known, said.model) == (True, True, True, "mini-spleeter")
    for name, digest in whole.items():
        audio, _ = soundfile.read(tmp_path / "out" / f"{name}.wav", dtype="float32")
        assert hashlib.sha256(audio.tobytes()).hexdigest() == digest
    assert said.gone not in {session.session_id for session in sessions(server)}
    wait_for(lambda: server.get(said.left).state == session_pb2.SESSION_STATE_PAUSED)


def test_asyncio_goes_on_after_the_server_died_twice(lasting, program):
    running = program("""
from stemwire import aio

async def song():
    with open(ARGUMENTS[0], "rb") as file:
        yield file.read(900_000)
        say(amid="upload")
        await asyncio.to_thread(wait)
        yield file.read()

async def main():
    again, parts = [], {}
    retry = stemwire.Retry(attempts=400, first_pause=0.1, longest_pause=0.5)
    async with aio.Client(SERVER, retry=retry) as client:
        separation = await client.separate(song(), on_reconnect=lambda error, pause: again.append(error.code))
        async for chunk in separation:
            parts.setdefault(chunk.stem, []).append(chunk.samples)
            if chunk.start_frame > 140_000 and "stopped" not in globals():
                globals()["stopped"] = True
                say(amid="stems")
                await asyncio.to_thread(wait)
        stems = {name: stemwire.Stem(name, np.concatenate(part), 44100) for name, part in parts.items()}
        say(digests=digests(stems), again=len(again), id=separation.session_id)

asyncio.run(main())
""", lasting.address, lasting.song)
    for moment in ("upload", "stems"):
        assert running.heard().amid == moment
        session_id = newest(lasting)
        wait_for(lambda: lasting.get(session_id).committed_bytes >= 900_000)
        lasting.kill()
        lasting.restart()
        running.go()
    said = running.end()
    assert said.digests == lasting.whole and said.again >= 2
    assert said.id == session_id and len(sessions(lasting)) == 2


def test_pauses_double_up_to_a_limit_and_heed_the_server(program):
    said = program("""
from stemwire.retry import Patience
lost = stemwire.Unreachable("UNAVAILABLE", "", "lost")
full = stemwire.StemwireError("RESOURCE_EXHAUSTED", "QUEUE_FULL", "full", retry_after=10)
wrong = stemwire.SongError("INVALID_ARGUMENT", "FORMAT_UNKNOWN", "text")
retry = stemwire.Retry(attempts=6, first_pause=1, longest_pause=8)
patience = Patience(retry)
# The third time it has got on, which begins anew.
marks = [(0, 0), (0, 0), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0)]
say(pauses=[patience.pause(lost, mark, True) for mark in marks], full=retry.pause(full, 1), wrong=retry.pause(wrong, 1),
    never=Patience(retry).pause(lost, (0, 0), False), none=stemwire.Retry(attempts=0).pause(lost, 1))
""", "").end()
    for pause, longest in zip(said.pauses, [1, 2, 1, 2, 4, 8, 8, 8]):
        assert 0.75 * longest <= pause <= longest
    assert said.pauses[8] is None and (said.full, said.wrong, said.never, said.none) == (10, None, None, None)


def test_what_is_kept_of_a_song_that_comes_once_is_bounded(program):
    said = program("""
from stemwire import _song
stream = _song.Stream(bytes([number]) * 1_000_000 for number in range(40))
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
    assert 16 < said.kept <= 18 and said.again == 24 and said.hash
    assert "byte 5" in said.lost and "send it anew" in said.lost


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
