"""Over every interface: a part of a song, and stems of one channel."""
import hashlib
import http.client
import io
import socket
import zipfile

import grpc
import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL, finish, wait_for
from ..http_client import call, form, get, separate, wait_done
from ..server import free_address
from ..stemwire_client import Config, api, collect, config_pb2, get_stem, reason, separate as separate_by_grpc, session_pb2
from .files import ffmpeg

MODELS = INSTANT_MODEL
SOURCE = config_pb2.OUTPUT_CHANNELS_SOURCE
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


def hashes(session: dict) -> dict:
    assert session["state"] == "DONE", session
    return {stem["name"]: stem["sha256"] for stem in session["stems"]}


def by_form(server, song: bytes, **options) -> dict:
    answer = separate(server, song, **{name: str(value) for name, value in options.items()})
    assert answer.status == 200, answer
    return get(server, f"/api/sessions/{answer.json()['session_id']}").json()


def by_tus(server, song: bytes, **options) -> dict:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    answer = call(server, "POST", f"/api/uploads?{query}", song, TUS | {"Upload-Length": str(len(song))})
    assert answer.status == 201, answer
    return wait_done(server, answer.json()["session_id"])


@pytest.mark.parametrize("upload", [by_form, by_tus])
def test_a_part_has_the_stems_of_a_song_that_is_cut(server, upload):
    song = music(4)
    cut = hashes(upload(server, wav(song[RATE : RATE * 5 // 2])))
    session = upload(server, wav(song), start_s=1, end_s=2.5)
    assert hashes(session) == cut and session["total_frames"] == RATE * 3 // 2
    assert hashes(upload(server, wav(song[: RATE * 5 // 2]), start_s=1)) == cut


def test_a_part_that_is_none_is_refused(server):
    for options, field in (({"start_s": "-1"}, "start_s"), ({"start_s": "2", "end_s": "1"}, "end_s"), ({"end_s": "1:00"}, "end_s")):
        refused = separate(server, wav(music(1)), **options)
        assert refused.problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID") and field in refused.json()["message"]
    behind = separate(server, wav(music(1)), start_s="3")
    assert behind.problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID")


@pytest.fixture(scope="module")
def mono(server) -> dict:
    """The links of a session of a song with one channel and an odd number of frames."""
    return separate(server, wav(music(2)[:70_001, 0], subtype="FLOAT")).json()


def read(content: bytes) -> np.ndarray:
    audio, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert rate == RATE
    return audio


# Files of 16 bits are dithered by less than a step, and rounded by half a step.
@pytest.mark.parametrize("form_name, step", [("wav-f32", 1e-7), ("wav-s24", 2.0**-23), ("wav-s16", 1.5 * 2.0**-15), ("flac", 2.0**-23)])
def test_downloads_of_one_channel_are_the_mean_of_both(server, mono, form_name, step):
    url = f"{mono['vocals_url']}?format={form_name}"
    stereo, whole = get(server, f"{mono['vocals_url']}?format=wav-f32"), get(server, f"{url}&channels=source")
    found = read(whole.body)
    assert found.shape == (70_001,) and np.abs(found - read(stereo.body).mean(axis=1)).max() <= step
    assert len(whole.body) % 2 == 0 or form_name == "flac"
    decoded = np.frombuffer(ffmpeg("-i", "-", "-f", "f32le", "-", stdin=whole.body), "<f4")
    assert np.array_equal(decoded, found)
    assert whole.headers["etag"] != get(server, f"{url}&channels=stereo").headers["etag"] == get(server, url).headers["etag"]
    size = len(whole.body)
    for first, last in ((0, 99), (94, 95), (1001, 60_000), (size - 3, size - 1), (size - 1, size - 1)):
        part = get(server, f"{url}&channels=source", range=f"bytes={first}-{last}")
        assert (part.status, part.body) == (206, whole.body[first : last + 1])


def test_an_archive_has_files_of_one_channel(server, mono):
    answer = get(server, f"/download/{mono['session_id']}.zip?channels=source&format=wav-s24")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        for stem, url in mono["stems"].items():
            assert archive.read(f"{stem}.wav") == get(server, f"{url}?channels=source&format=wav-s24").body


def test_the_channels_of_a_session_are_the_default_of_its_reads(server):
    session = separate(server, wav(music(1)[:, 0]), channels="source").json()
    assert read(get(server, session["vocals_url"]).body).shape == (RATE,)
    assert read(get(server, f"{session['vocals_url']}?channels=stereo").body).shape == (RATE, 2)
    assert len(get_stem(server.stub, session["session_id"], "vocals")) == 4 * RATE
    both = get_stem(server.stub, session["session_id"], "vocals", channels=config_pb2.OUTPUT_CHANNELS_STEREO)
    stored = get(server, f"/api/sessions/{session['session_id']}").json()["stems"]
    assert hashlib.sha256(both).hexdigest() == next(stem["sha256"] for stem in stored if stem["name"] == "vocals")


def test_a_song_of_two_channels_has_stems_of_two_whatever_is_asked_for(server, links):
    for form_name in ("wav-s16", "flac"):
        url = f"{links['vocals_url']}?format={form_name}"
        assert get(server, f"{url}&channels=source").body == get(server, url).body
    refused = get(server, f"{links['vocals_url']}?channels=mono")
    assert refused.problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID") and "stereo, source" in refused.json()["message"]


def test_a_kept_flac_file_that_is_damaged_is_made_again(server, mono):
    url = f"{mono['vocals_url']}?format=flac"
    right = get(server, url).body
    assert get(server, url, Range="bytes=0-").body == right
    (kept,) = (server.directory(mono["session_id"]) / "flac").glob("vocals.flac*.flac")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 4
    kept.write_bytes(content)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        get(server, url, Range="bytes=0-")
    assert get(server, url, Range="bytes=0-").body == right


def test_chunks_over_grpc_name_their_channels(server, mono):
    stub, session_id = server.stub, mono["session_id"]
    stored = np.frombuffer(get_stem(stub, session_id, "vocals"), "<f4").reshape(-1, 2)
    request = api.GetStemRequest(session_id=session_id, stem="vocals", channels=SOURCE, start_frame=40_000)
    chunks = [answer.chunk for answer in stub.GetStem(request)]
    assert {chunk.channels for chunk in chunks} == {1} and chunks[0].start_frame == 40_000
    found = np.frombuffer(b"".join(chunk.pcm for chunk in chunks), "<f4")
    assert np.abs(found - stored[40_000:].mean(axis=1)).max() < 1e-7
    assert {answer.chunk.channels for answer in stub.GetStem(api.GetStemRequest(session_id=session_id, stem="vocals"))} == {2}
    watched = collect(stub.WatchSession(api.WatchSessionRequest(session_id=session_id, channels=SOURCE)))
    assert len(watched.stems["vocals"]) == 4 * 70_001
    output = config_pb2.OutputFormat(channels=SOURCE, encoding=config_pb2.ENCODING_S16LE)
    separated = separate_by_grpc(stub, wav(music(1)[:, 0]), Config(output=output))
    assert {len(pcm) for pcm in separated.stems.values()} == {2 * RATE} and separated.done.config.output.channels == SOURCE


def begun(server, song: bytes, length: int | None, sent: int) -> str:
    """A tus upload of half a second of a song, which is DONE before it is complete."""
    announced = {"Upload-Length": str(length)} if length else {"Upload-Defer-Length": "1"}
    answer = call(server, "POST", "/api/uploads?end_s=0.5", song[:sent], TUS | announced)
    assert answer.status == 201, answer
    session = wait_done(server, answer.json()["session_id"])
    assert (session["state"], session["upload_complete"], session["uploaded_bytes"]) == ("DONE", False, sent)
    return session["session_id"]


def patch(server, session_id: str, offset: int, body: bytes, **headers: str):
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(server, "PATCH", f"/api/uploads/{session_id}", body, TUS | {"Upload-Offset": str(offset)} | more)


@pytest.mark.parametrize("announced", [True, False])
def test_a_tus_upload_ends_as_usual_although_its_session_is_done(server, announced):
    song, half = wav(music(8)), 700_000
    session_id = begun(server, song, len(song) if announced else None, half)
    before = get(server, f"/api/sessions/{session_id}").json()
    head = call(server, "HEAD", f"/api/uploads/{session_id}", headers=TUS)
    assert (head.status, head.headers["upload-offset"]) == (200, str(half)) and head.headers["upload-expires"]
    middle = patch(server, session_id, half, song[half : half + 1000])
    assert (middle.status, middle.headers["upload-offset"]) == (204, str(half + 1000))
    last = patch(server, session_id, half + 1000, song[half + 1000 :], **({} if announced else {"Upload_Length": str(len(song))}))
    assert (last.status, last.headers["upload-offset"], last.headers["upload-length"]) == (204, str(len(song)), str(len(song)))
    after = get(server, f"/api/sessions/{session_id}").json()
    assert (after["state"], after["upload_complete"], after["uploaded_bytes"]) == ("DONE", True, len(song))
    assert hashes(after) == hashes(before) and after["total_frames"] == RATE // 2
    assert (server.directory(session_id) / "upload").read_bytes() == song


def test_a_form_gets_its_answer_although_its_session_is_done_before_its_end(server):
    song = wav(music(8))
    body, headers = form(("end_s", "0.5"), ("file", "early.wav", song))
    newest = lambda: get(server, "/api/sessions?page_size=1").json()["sessions"]

    def pieces():
        yield body[:700_000]
        wait_for(lambda: [(one["file_name"], one["state"]) for one in newest()] == [("early.wav", "DONE")])
        yield body[700_000:]

    answer = call(server, "POST", "/api/separate", pieces(), headers)
    assert answer.status == 200 and len(read(get(server, answer.json()["vocals_url"]).body)) == RATE // 2
    session = get(server, f"/api/sessions/{answer.json()['session_id']}").json()
    assert (session["upload_complete"], session["uploaded_bytes"]) == (True, len(song))


def test_a_form_that_breaks_off_after_its_session_was_done_leaves_nothing(server):
    body, headers = form(("end_s", "0.5"), ("file", "broken.wav", wav(music(8))))
    named = lambda: [session for session in get(server, "/api/sessions").json()["sessions"] if session["file_name"] == "broken.wav"]
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 30) as connection:
        head = f"POST /api/separate HTTP/1.1\r\nHost: {server.address}\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(head.encode() + b"\r\n" + body[:700_000])
        wait_for(lambda: [session["state"] for session in named()] == ["DONE"])
    wait_for(lambda: named() == [])


def test_grpc_takes_the_rest_of_an_upload_and_checks_it(start):
    server = start(listen=free_address())
    song = wav(music(8))
    session_id = begun(server, song, None, 700_000)
    chunk = lambda offset, data: server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data))
    assert chunk(600_000, song[600_000:900_000]).committed_bytes == 900_000
    with pytest.raises(grpc.RpcError) as conflict:
        chunk(800_000, b"other bytes")
    assert reason(conflict.value)[1] == "UPLOAD_CONFLICT"
    server.terminate()
    server.restart()
    assert chunk(900_000, song[900_000:]).committed_bytes == len(song)
    wrong = api.Finish(total_bytes=len(song), sha256=bytes(32))
    with pytest.raises(grpc.RpcError) as damaged:
        server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=wrong))
    assert reason(damaged.value)[1] == "UPLOAD_HASH_MISMATCH"
    session = server.get(session_id)
    assert (session.state, session.upload_complete) == (session_pb2.SESSION_STATE_DONE, False)
    finished = finish(server, session_id, song).session
    assert (finished.state, finished.upload_complete, finished.committed_bytes) == (session.state, True, len(song))
    with pytest.raises(grpc.RpcError) as late:
        chunk(len(song), b"more")
    assert reason(late.value)[1] == "UPLOAD_FINISHED"
