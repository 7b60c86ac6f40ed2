"""Stems arrive while the song is still being sent."""
import contextlib
import itertools
import os
import sys
import threading
from pathlib import Path

import grpc
import psutil
import pytest

from ..audio import RATE, encode, music, wav
from ..common import INSTANT_FOUR_STEMS
from ..stemwire_client import Background, Config, api, collect, config_pb2, reason, requests, separate, session_pb2

MODELS = INSTANT_FOUR_STEMS


class Gate:
    """Holds an upload at its half until the first stem has arrived."""

    def __init__(self, song):
        self.opened, self.half = threading.Event(), len(song) // 2

    def pause(self, so_far):
        if so_far >= self.half:
            assert self.opened.wait(60), "no stem came for half of the song"


@pytest.mark.parametrize("container, options", [
    ("mp3", ["-b:a", "192k"]),
    ("flac", []),
    ("ogg", ["-c:a", "libvorbis"]),
    ("m4a", ["-c:a", "aac", "-movflags", "+faststart"]),
    ("wav", []),
])
def test_stems_arrive_before_the_rest_of_the_song_is_sent(server, container, options):
    song = encode(music(14), *options, container=container)
    gate = Gate(song)

    def watch(stream):
        for message in stream:
            if message.WhichOneof("message") == "stem":
                gate.opened.set()
            yield message

    result = collect(watch(server.stub.Separate(requests(song, size=8_192, pause=gate.pause))))
    assert result.error is None
    assert gate.opened.is_set()
    assert result.digests() == separate(server.stub, song).digests()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have ranks of their own on Linux")
def test_decoding_comes_after_inference(start):
    """Decoding does not delay inference, however long the song is."""
    server, song = start(), wav(music(14))
    gate, ranks = Gate(song), {}
    for message in server.stub.Separate(requests(song, pause=gate.pause)):
        # The second half has not been sent, so the decoder is alive.
        if message.WhichOneof("message") == "stem" and not ranks:
            decoder, = psutil.Process(server.process.pid).children()
            ranks["decoder"] = decoder.nice()
            for thread in Path(f"/proc/{server.process.pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    ranks[(thread / "comm").read_text().strip()] = os.getpriority(os.PRIO_PROCESS, int(thread.name))
            gate.opened.set()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    lower = min(own + 10, 19)
    assert ranks.pop("decoder") == lower and ranks.pop("track-write") == lower
    assert any("worker" in name for name in ranks), ranks
    assert set(ranks.values()) == {own}, ranks


def test_an_mp4_with_its_index_last_starts_when_it_is_complete(server):
    audio = music(8)
    first = encode(audio, "-c:a", "aac", "-movflags", "+faststart", container="m4a")
    last = encode(audio, "-c:a", "aac", container="m4a")
    assert first.index(b"moov") < first.index(b"mdat") and last.index(b"moov") > last.index(b"mdat")
    assert separate(server.stub, last).digests() == separate(server.stub, first).digests()


def test_get_stem_follows_a_session_that_is_still_received(server, song):
    created = server.stub.CreateSession(api.CreateSessionRequest(config=Config())).session
    reading = Background(lambda: b"".join(
        response.chunk.pcm for response in server.stub.GetStem(
            api.GetStemRequest(session_id=created.session_id, stem="vocals", start_frame=1000))))
    for offset in range(0, len(song), 100_000):
        chunk = api.UploadChunkRequest(session_id=created.session_id, offset=offset, data=song[offset : offset + 100_000])
        server.stub.UploadChunk(chunk)
    server.stub.FinishUpload(api.FinishUploadRequest(
        session_id=created.session_id, finish=api.Finish(total_bytes=len(song))))
    pcm = reading.result()
    assert len(pcm) == (10 * RATE - 1000) * 8
    assert pcm == bytes(separate(server.stub, song).stems["vocals"])[8000:]


def test_a_start_beyond_the_end_is_refused_once_the_end_is_known(server):
    song = wav(music(2))
    beyond = 2 * RATE + 1
    created = server.stub.CreateSession(api.CreateSessionRequest(config=Config())).session
    named = {"session_id": created.session_id}
    cursors = [api.StemCursor(stem="bass"), api.StemCursor(stem="vocals", start_frame=beyond)]
    calls = [
        server.stub.Separate(requests(song, Config(start_frame=beyond))),
        server.stub.WatchSession(api.WatchSessionRequest(**named, stems=cursors)),
        server.stub.GetStem(api.GetStemRequest(**named, stem="vocals", start_frame=beyond)),
        server.stub.GetStem(api.GetStemRequest(**named, stem="vocals", start_frame=beyond - 1)),
    ]
    reading = [Background(lambda call=call: reason_of(call)) for call in calls]
    server.stub.UploadChunk(api.UploadChunkRequest(**named, data=song))
    server.stub.FinishUpload(api.FinishUploadRequest(**named, finish=api.Finish(total_bytes=len(song))))
    expected = ("OUT_OF_RANGE", "FRAME_OUT_OF_RANGE", {"frames": str(2 * RATE), "remedy": "Start within the stem."})
    assert [read.result() for read in reading] == [expected, expected, expected, None], "the end itself is no error"


def reason_of(call):
    """The reason of a stream's error; None if it ends without one."""
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return reason(error)


def test_many_may_watch_and_each_from_its_own_frame(server, song):
    created = server.stub.CreateSession(api.CreateSessionRequest(config=Config())).session
    cursors = [api.StemCursor(stem="bass", start_frame=5), api.StemCursor(stem="vocals", start_frame=300_000)]
    begun = threading.Barrier(4)

    def watch(**wishes):
        call = server.stub.WatchSession(api.WatchSessionRequest(session_id=created.session_id, **wishes))
        first = next(call)
        begun.wait(60)
        return collect(itertools.chain([first], call))

    watching = [Background(lambda wishes=wishes: watch(**wishes)) for wishes in ({}, {"stems": cursors}, {"progress_only": True})]
    # All of them receive it from its beginning.
    begun.wait(60)
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=created.session_id, data=song[: 1 << 20]))
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=created.session_id, offset=1 << 20, data=song[1 << 20 :]))
    server.stub.FinishUpload(api.FinishUploadRequest(
        session_id=created.session_id, finish=api.Finish(total_bytes=len(song))))
    everything, some, progress = [watch.result() for watch in watching]
    for result in (everything, some, progress):
        assert result.error is None
        assert result.done.state == session_pb2.SESSION_STATE_DONE
    assert everything.digests() == separate(server.stub, song).digests()
    assert bytes(some.stems["bass"]) == bytes(everything.stems["bass"])[5 * 8 :]
    assert bytes(some.stems["vocals"]) == bytes(everything.stems["vocals"])[300_000 * 8 :]
    assert progress.stems == {} and progress.progress


def test_a_live_source_ends_well_at_its_limit(start):
    server = start("--max-track", "6s")
    audio = (music(9) * 32767).astype("<i2").tobytes()
    raw = config_pb2.RawPcm(encoding=config_pb2.ENCODING_S16LE, sample_rate=RATE, channels=2)
    ended = threading.Event()

    def microphone():
        """Never sends `finish`."""
        yield from requests(audio, Config(input=raw), finish=False)
        ended.wait(60)

    result = collect(server.stub.Separate(microphone()))
    ended.set()
    assert result.error is None
    assert result.done.state == session_pb2.SESSION_STATE_DONE
    assert any("limit of 6 s" in notice for notice in result.done.notices)
    assert [(note.kind, note.count) for note in result.done.source.notes] == [(session_pb2.SOURCE_NOTE_KIND_LIVE_CUT, 6)]
    assert {len(pcm) for pcm in result.stems.values()} == {6 * RATE * 8}
