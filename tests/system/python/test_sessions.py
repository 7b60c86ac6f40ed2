"""The Python client: sessions outlive broken connections, killed servers and killed clients."""
import pytest
from stemwire.v1 import session_pb2

from ..audio import RATE, music, wav
from ..common import wait_for
from ..nats import NatsServer
from ..stemwire_client import request_id
from ..worker import SECRET, Worker
from .lasting import die, newest, sessions


@pytest.mark.parametrize("song", ["file", "iterator"])
def test_an_upload_continues_after_a_crash_of_the_server(lasting, program, song):
    running = program("""
path, kind = ARGUMENTS
whole = open(path, "rb").read()

class Slow:
    \"\"\"A file that stops after two thirds until it is released.\"\"\"
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
    session_id = die(lasting, running)
    output = running.end()
    assert output.digests == lasting.whole and output.again >= 1
    assert output.id == session_id and len(sessions(lasting)) == 2, "it is one session"


def test_stems_continue_after_a_crash_of_the_server(lasting, program):
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
    output = running.end()
    assert output.digests == lasting.whole and output.again >= 1 and output.follow
    assert len(sessions(lasting)) == 2

    # One stem of an existing session, with the server killed during the read.
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


def test_another_process_continues_a_killed_upload(lasting, program):
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
    output = program("""
separation = stemwire.Client(SERVER).separate(ARGUMENTS[0], request_id=ARGUMENTS[1])
held = separation.session.committed_bytes
say(digests=digests(separation.stems), id=separation.session_id, held=held)
""", lasting.address, lasting.song, name).end()
    assert (output.id, output.held, output.digests) == (session_id, 1_000_000, lasting.whole)


def test_an_upload_in_steps_is_followed_from_elsewhere(server, program, short, whole, tmp_path):
    (tmp_path / "short.wav").write_bytes(short)
    output = program("""
client = stemwire.Client(SERVER)
created = client.create_session(file_name="steps")
assert client.upload_chunk(created.session_id, 0, open("short.wav", "rb").read(100_000)) == 100_000
watched = client.watch(created.session_id)
sent = threading.Thread(target=client.upload, args=(created.session_id, "short.wav"))
sent.start()
stems = watched.stems
sent.join()
# Some stems, from a frame, in another encoding.
tail = client.watch(created.session_id, stems=["bass"], start_frame=80_000, encoding="s16")
pieces = list(tail)
say(digests=digests(stems), frames=sum(chunk.frames for chunk in pieces), kinds=sorted({c.stem for c in pieces}),
    upload=client.session(created.session_id).upload_complete, start=pieces[0].start_frame)
""", server.address).end()
    assert output.digests == whole and output.upload
    assert (output.frames, output.kinds, output.start) == (2 * RATE - 80_000, ["bass"], 80_000)


def test_a_separation_is_cancelled_or_left(server, program, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(60)))
    output = program("""
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
    assert output.reason == "SESSION_CANCELLED"
    assert server.get(output.cancelled).state == session_pb2.SESSION_STATE_CANCELLED
    assert not list(tmp_path.glob("out/*")), "no half a stem is left"
    wait_for(lambda: server.get(output.left).state == session_pb2.SESSION_STATE_PAUSED)
    wait_for(lambda: server.get(output.within).state == session_pb2.SESSION_STATE_CANCELLED)


def test_sessions_are_listed_read_and_deleted(start, program, short):
    server = start("--engines", "mini-spleeter")
    output = program("""
client = stemwire.Client(SERVER)
made = [client.create_session(file_name=f"{number}.wav").session_id for number in range(3)]
listed = [session.file_name for session in client.sessions(page_size=2)]
ended = client.cancel(made[0])
client.delete(made[1])
health, (model, *_) = client.health(), client.models()
say(listed=listed, ended=ended.state.name, left=[s.session_id for s in client.sessions()], made=made, serving=health.serving,
    version=health.version, runtime=health.runtime, cluster=health.cluster, model=model.name, stems=model.stems, rate=model.sample_rate,
    usable=model.usable, execution=vars(model.execution), same=model.execution == health.engines[0].execution,
    open=health.open_sessions, created=client.session(made[2]).create_time.isoformat())
""", server.address).end()
    assert output.listed == ["2.wav", "1.wav", "0.wav"] and output.ended == "CANCELLED"
    assert output.left == [output.made[2], output.made[0]]
    assert (output.serving, output.model, output.usable, output.rate) == (True, "mini-spleeter", True, RATE)
    assert output.execution == {"execution_provider": "cpu", "precision": "f32", "reason": "requested", "trials": []} and output.same
    assert "onnxruntime" in output.runtime and output.cluster is None and output.stems == ["drums", "bass", "other", "vocals"]
    assert output.created == server.get(output.made[2]).create_time.ToJsonString().replace("Z", "000+00:00")


def test_health_shows_the_workers_of_a_cluster(start, program, binary, tmp_path):
    nats = NatsServer(tmp_path / "nats", "--jetstream")
    worker = Worker(binary, nats.url, {})
    server = start("--cluster", nats.url, "--compute", "workers", variables={"STEMWIRE_CLUSTER_SECRET": SECRET})
    output = program("""
client = stemwire.Client(SERVER)
while not (cluster := client.health().cluster).workers:
    time.sleep(0.02)
(worker,) = cluster.workers
lanes = {model.name: model.worker_lanes for model in client.models()}
say(queued=cluster.queued_segments, waiting=cluster.waiting_segments, worker=worker.name, version=worker.version, lanes=worker.lanes,
    of_mini=lanes["mini"], engines=[(engine.model, engine.execution_provider) for engine in worker.engines])
""", server.address).end()
    assert (output.queued, output.waiting, output.lanes, output.of_mini) == (0, 0, 1, 1)
    assert output.worker.endswith(f"-{worker.process.pid}") and output.version
    assert ["mini", "cpu"] in output.engines
    assert worker.end() == 0
    nats.kill()
