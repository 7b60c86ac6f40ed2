"""Calls that are forwarded by TLS, and those of a browser."""
import contextlib

import grpc
import pytest
import trustme

from system.audio import music, wav
from system.common import INSTANT_MODEL, wait_for
from system.grpc_web import Page
from system.nats import NatsServer
from system.stemwire_client import Config, api, collect, config_pb2, reason, request_id, requests, service

MODELS = INSTANT_MODEL


@pytest.fixture
def gateways(start, tmp_path):
    """gateways(*options) starts a gateway for each list of options, all of one cluster with a secret."""
    nats = NatsServer(tmp_path / "nats", "--jetstream")
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef" * 2)
    secret.chmod(0o600)
    shared = ["--cluster", nats.url, "--store", f"file://{tmp_path}/store", "--cluster-secret-file", str(secret)]
    yield lambda *each: [start(*shared, *options) for options in each]
    nats.kill()


class Certificate:
    """A certificate of an authority of its own, for this machine."""

    def __init__(self, folder):
        folder.mkdir()
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        self.authority = authority.cert_pem.bytes()
        self.options = ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]


@contextlib.contextmanager
def connected(server, certificate):
    credentials = grpc.ssl_channel_credentials(certificate.authority)
    with grpc.secure_channel(server.address, credentials) as channel:
        yield service.SeparationServiceStub(channel)


def test_gateways_with_one_certificate_forward_by_tls(gateways, tmp_path):
    certificate = Certificate(tmp_path / "one")
    one, other = gateways(certificate.options, certificate.options)
    song = wav(music(4))
    config = Config(request_id=request_id())
    with connected(one, certificate) as at_one, connected(other, certificate) as at_other:
        broken = collect(at_one.Separate(requests(song[: len(song) // 2], config, finish=False)))
        assert reason(broken.error)[1] == "UPLOAD_UNFINISHED"
        held = lambda: at_other.CreateSession(api.CreateSessionRequest(config=config)).session.committed_bytes
        wait_for(lambda: held() == len(song) // 2)
        config.upload_offset = len(song) // 2
        resumed = collect(at_other.Separate(requests(song, config)))
        assert resumed.error is None and resumed.session.session_id == broken.session.session_id
        session_id = at_one.CreateSession(api.CreateSessionRequest()).session.session_id
        wait_for(lambda: session_id in [each.session_id for each in at_other.ListSessions(api.ListSessionsRequest()).sessions])


def test_a_gateway_with_a_certificate_that_is_not_trusted_gets_no_call(gateways, tmp_path):
    mine, foreign = Certificate(tmp_path / "mine"), Certificate(tmp_path / "foreign")
    one, other = gateways(mine.options, foreign.options)
    with connected(one, mine) as at_one, connected(other, foreign) as at_other:
        session_id = at_one.CreateSession(api.CreateSessionRequest()).session.session_id
        with pytest.raises(grpc.RpcError) as refused:
            at_other.GetSession(api.GetSessionRequest(session_id=session_id))
        assert reason(refused.value)[:2] == ("UNAVAILABLE", "SESSION_ELSEWHERE")
        assert "certificate" in other.log_text()


@pytest.mark.parametrize("form", ["application/grpc-web+proto", "application/grpc-web-text+proto"])
def test_calls_of_a_browser_are_forwarded(gateways, form):
    one, other = gateways([], [])
    song = wav(music(4))
    page = Page(other.address, form)
    config = Config(request_id=request_id(), on_disconnect=config_pb2.ON_DISCONNECT_CONTINUE)
    created = api.CreateSessionRequest(config=config)
    session_id = one.stub.CreateSession(created).session.session_id
    assert page.call("CreateSession", created, api.CreateSessionResponse).session.session_id == session_id
    chunk = api.UploadChunkRequest(session_id=session_id, data=song)
    assert page.call("UploadChunk", chunk, api.UploadChunkResponse).committed_bytes == len(song)
    finished = api.FinishUploadRequest(session_id=session_id, finish=api.Finish(total_bytes=len(song)))
    assert page.call("FinishUpload", finished, api.FinishUploadResponse).session.session_id == session_id
    watched = list(page.messages("WatchSession", api.WatchSessionRequest(session_id=session_id), api.WatchSessionResponse))
    alone = collect(one.stub.Separate(requests(song)))
    stems: dict = {}
    for message in watched:
        if message.HasField("stem"):
            stems.setdefault(message.stem.stem, bytearray()).extend(message.stem.pcm)
    assert {name: bytes(pcm) for name, pcm in stems.items()} == {name: bytes(pcm) for name, pcm in alone.stems.items()}
    listed = page.call("ListSessions", api.ListSessionsRequest(), api.ListSessionsResponse).sessions
    assert session_id in [session.session_id for session in listed]
