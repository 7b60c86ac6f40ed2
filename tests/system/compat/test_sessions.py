"""Sessions written by earlier versions are opened, resumed and read as by that version."""
import hashlib
import io
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
import soundfile

from ..common import wait_for
from ..http_client import get
from ..stemwire_client import api, config_pb2, reason, separate, session_pb2
from . import sessions

ENDED = ("DONE", "FAILED", "CANCELLED")


def kept_in(*states: str) -> list:
    """(version, session's name) of all sessions in these states."""
    every = [(version, name, kept) for version in sessions.VERSIONS for name, kept in sessions.load(version)[1].items()]
    return [(version, name) for version, name, kept in every if kept.manifest["state"] in states]


@pytest.fixture(scope="module")
def opened(binary, tmp_path_factory):
    """One server on all sessions of all versions."""
    data, models = tmp_path_factory.mktemp("data"), sessions.models(tmp_path_factory.mktemp("compat") / "models")
    for version in sessions.VERSIONS:
        for kept in sessions.load(version)[1].values():
            kept.unpack(data)
    server = sessions.serve(binary, data, models)
    yield server
    server.close()
    assert "panicked" not in server.log_text() and "not loaded" not in server.log_text()


@pytest.fixture
def left(opened, request):
    """A session of an earlier version: its server, its version's index and its entry there."""
    version, name = request.param
    index, kept = sessions.load(version)
    return SimpleNamespace(server=opened, index=index, song=sessions.song(version), kept=kept[name])


def check_kept(found, recorded, place: str = "") -> None:
    """Every earlier field of a response is still there; new fields may be added."""
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert key in found, f"{place}.{key} is missing"
            if key == "error" and value:
                # The message is that of the manifest, to which 0.1.0 added a remedy where it had none.
                value = dict(value)
                assert value.pop("message").startswith(found[key]["message"])
                value.pop("remedy", None)
            if key == "notices":
                assert set(value) <= set(found[key]), place
            else:
                check_kept(found[key], value, f"{place}.{key}")
    elif isinstance(recorded, list):
        assert len(found) == len(recorded), place
        for number, (one, other) in enumerate(zip(found, recorded)):
            check_kept(one, other, f"{place}[{number}]")
    else:
        assert found == recorded, place


def read(server, session_id: str, stem: str) -> tuple:
    """The frames of a stem, and the error after them."""
    request = api.GetStemRequest(session_id=session_id, stem=stem, encoding=config_pb2.ENCODING_F32LE, gain=1)
    pcm = bytearray()
    try:
        for response in server.stub.GetStem(request):
            pcm += response.chunk.pcm
    except grpc.RpcError as error:
        return bytes(pcm), error
    return bytes(pcm), None


def is_same_machine(left) -> bool:
    """Whether library and kernels are those with which the session was started."""
    runtime = left.server.stub.Health(api.HealthRequest()).runtime.name
    return left.index["processor"] == sessions.processor() and left.index["runtime"] == runtime


def check_stems(left) -> None:
    """The stems equal those of an undisturbed run of the earlier version."""
    server, kept = left.server, left.kept
    pcm = {name: read(server, kept.id, name)[0] for name in kept.about["stems"]}
    if kept.about["portable"] or is_same_machine(left):
        assert {name: hashlib.sha256(frames).hexdigest() for name, frames in pcm.items()} == kept.about["stems"]
        return
    config = kept.config
    config.ClearField("request_id")
    config.output.encoding, config.output.gain = config_pb2.ENCODING_F32LE, 1
    upload = (server.directory(kept.id) / "upload").read_bytes()
    for name, whole in separate(server.stub, upload, config).stems.items():
        expected, found = np.frombuffer(whole, "<f4"), np.frombuffer(pcm[name], "<f4")
        assert found.shape == expected.shape
        # The earlier version did not silence what is silent in the song: 10 ms fades at both ends, zeros between them.
        sounds = np.convolve(expected == 0, np.ones(1764), "same") == 0
        error = np.sum((found - expected)[sounds] ** 2)
        assert sounds.mean() > 0.5 and np.sum(expected**2) >= 1e6 * error, f"{name} is below 60 dB"


def check_done(left) -> None:
    recorded = dict(left.kept.about["ended"])
    if not is_same_machine(left):
        # Other kernels give other hashes, and another library counts as a change of engine.
        for key in ("engine", "engine_changes", "stems"):
            recorded.pop(key, None)
    session = left.server.get(left.kept.id)
    assert session.state == session_pb2.SESSION_STATE_DONE, session.error
    check_kept(sessions.as_json(session), recorded)
    check_stems(left)
    assert sorted(path.name for path in left.server.directory(left.kept.id).iterdir()) == ["session.json", "stems", "upload"]


@pytest.mark.parametrize("left", kept_in("RUNNING"), indirect=True, ids="-".join)
def test_a_running_session_continues_by_itself_to_the_same_bytes(left):
    wait_for(lambda: left.server.get(left.kept.id).state != session_pb2.SESSION_STATE_RUNNING)
    check_done(left)


@pytest.mark.parametrize("left", kept_in("UPLOADING", "PAUSED"), indirect=True, ids="-".join)
def test_an_upload_is_continued_at_the_committed_byte_to_the_same_bytes(left):
    server, kept = left.server, left.kept
    session = server.get(kept.id)
    assert session.state == session_pb2.SESSION_STATE_PAUSED
    check_kept(sessions.as_json(session), kept.about["opened"])
    found = server.stub.CreateSession(api.CreateSessionRequest(config=kept.config)).session
    assert found.session_id == kept.id, "the request still names it"
    result = sessions.resume(server, kept.id, left.song)
    assert result.error is None
    check_done(left)


@pytest.mark.parametrize("left", kept_in(*ENDED), indirect=True, ids="-".join)
def test_an_ended_session_is_answered_and_read_as_before(left):
    server, kept = left.server, left.kept
    check_kept(sessions.as_json(server.get(kept.id)), kept.about["opened"])
    check_kept(get(server, f"/api/sessions/{kept.id}").json(), kept.about["rest"])
    expected = {
        "DONE": None, "CANCELLED": "SESSION_CANCELLED", "FAILED": kept.about["opened"].get("error", {}).get("reason"),
    }[kept.manifest["state"]]
    for name, digest in kept.about["stems"].items():
        pcm, error = read(server, kept.id, name)
        assert hashlib.sha256(pcm).hexdigest() == digest
        assert (reason(error)[1] if error else None) == expected
    for url, digest in kept.about.get("downloads", {}).items():
        answer = get(server, url)
        assert answer.status == 200
        if "wav-s16" in url:
            # Files of 16 bits have got dither after 0.1.0.
            exact, rounded = (samples(body) for body in (get(server, url.replace("s16", "f32")).body, answer.body))
            assert np.abs(rounded - np.clip(exact, -1, 1)).max(initial=0) <= 1.5 / 2**15, url
        elif "flac" in url:
            # It has no hash of its samples any more, which are the same.
            assert (samples(answer.body) == samples(get(server, url.replace("flac", "wav-s24")).body)).all(), url
        else:
            # Files have got tags.
            plain = get(server, f"{url}&tags=false" if url.startswith("/download/") else url).body
            assert hashlib.sha256(plain).hexdigest() == digest, url


def samples(body: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(body))[0]


def test_the_list_has_all_of_them_newest_first(opened):
    kept = [kept for version in sessions.VERSIONS for kept in sessions.load(version)[1].values()]
    kept.sort(key=lambda kept: kept.manifest["created"], reverse=True)
    ids = {each.id for each in kept}
    listed = [session.session_id for session in opened.stub.ListSessions(api.ListSessionsRequest(page_size=500)).sessions]
    assert [session_id for session_id in listed if session_id in ids] == [each.id for each in kept]
