"""The port as other programs see it: reflection, grpc-web, CORS, TLS."""
import base64
import hashlib
import http.client
import json
import os
import shutil
import subprocess

import grpc
import pytest
import trustme
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, check_refused, stems
from ..grpc_web import SERVICE, Page, trailers
from ..repository import ROOT
from ..server import Server
from ..stemwire_client import api, collect, separate, service, session_pb2

MODELS = INSTANT_FOUR_STEMS
PAGE = "https://page.example"
TOKEN = "a-very-secret-token"


@pytest.fixture(scope="session")
def buf():
    """buf(*arguments) runs buf, which must succeed, and returns its output."""
    program = os.environ.get("STEMWIRE_BUF") or shutil.which("buf")
    assert program, "buf is not there: name it with STEMWIRE_BUF, as `make test` does"

    def buf(*arguments: str) -> str:
        ended = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return buf


def test_the_proto_is_clean(buf):
    assert buf("lint", "proto") == ""


@pytest.mark.parametrize("protocol, schema", [("grpc", []), ("grpcweb", ["--schema", "proto"])])
def test_a_stranger_calls_by_reflection_or_from_the_proto(buf, server, protocol, schema):
    def call(method: str) -> dict:
        url = f"http://{server.address}/{SERVICE}/{method}"
        return json.loads(buf("curl", "--http2-prior-knowledge", "--protocol", protocol, *schema, url))

    assert call("Health")["status"] == "SERVING_STATUS_SERVING"
    assert call("ListModels")["models"][0]["stems"] == ["drums", "bass", "other", "vocals"]


@pytest.mark.parametrize("version", ["grpc-v1", "grpc-v1alpha"])
def test_both_versions_of_reflection_name_every_service(buf, server, version):
    listed = buf("curl", "--protocol", "grpc", "--list-services", "--reflect-protocol", version, f"http://{server.address}").split()
    assert {SERVICE, "grpc.health.v1.Health"} <= set(listed)


def test_reflection_serves_the_options_of_reasons(server):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(server.channel))
    value = pool.FindEnumTypeByName("stemwire.v1.ErrorReason").values_by_name["ERROR_REASON_QUEUE_FULL"]
    # The options as bytes, read with the descriptors that reflection serves.
    known = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.EnumValueOptions"))
    options = known.FromString(value.GetOptions().SerializeToString())
    reported = options.Extensions[pool.FindExtensionByName("stemwire.v1.error")]
    assert (reported.code, reported.http_status, reported.retry_after_s) == (8, 429, 10) and "--max-queued" in reported.remedy


@pytest.mark.parametrize("form", ["application/grpc-web+proto", "application/grpc-web-text+proto"])
def test_a_page_uploads_in_steps_and_watches_its_stems_come(server, song, form):
    page = Page(server.address, form)
    session = page.call("CreateSession", api.CreateSessionRequest(), api.CreateSessionResponse).session
    for offset in range(0, len(song), 1 << 20):
        chunk = api.UploadChunkRequest(session_id=session.session_id, offset=offset, data=song[offset : offset + (1 << 20)])
        held = page.call("UploadChunk", chunk, api.UploadChunkResponse).committed_bytes
        assert held == offset + len(chunk.data)
    finish = api.Finish(total_bytes=len(song), sha256=hashlib.sha256(song).digest())
    page.call("FinishUpload", api.FinishUploadRequest(session_id=session.session_id, finish=finish), api.FinishUploadResponse)
    request = api.WatchSessionRequest(session_id=session.session_id)
    watched = collect(page.messages("WatchSession", request, api.WatchSessionResponse))
    assert watched.session.session_id == session.session_id
    assert watched.done.state == session_pb2.SESSION_STATE_DONE
    assert watched.digests() == separate(server.stub, song).digests()


def test_a_page_sees_stems_before_its_upload_has_ended(server, song):
    """Two connections, as in a browser: one watches, one sends."""
    sender, watcher = Page(server.address), Page(server.address)
    session_id = sender.call("CreateSession", api.CreateSessionRequest(), api.CreateSessionResponse).session.session_id
    chunk = api.UploadChunkRequest(session_id=session_id, data=song[: 1 << 20])
    sender.call("UploadChunk", chunk, api.UploadChunkResponse)
    watched = watcher.messages("WatchSession", api.WatchSessionRequest(session_id=session_id), api.WatchSessionResponse)
    assert any(message.WhichOneof("message") == "stem" for message in watched)
    state = sender.call("GetSession", api.GetSessionRequest(session_id=session_id), api.GetSessionResponse).session
    assert state.state == session_pb2.SESSION_STATE_UPLOADING
    sender.call("CancelSession", api.CancelSessionRequest(session_id=session_id), api.CancelSessionResponse)
    watcher.connection.close()


def test_a_page_reads_the_code_and_reason_of_an_error(server):
    page = Page(server.address)
    response = page.open("GetSession", api.GetSessionRequest(session_id="0" * 8))
    found = dict(response.getheaders())
    for flags, payload in page.frames(response):
        assert flags == 0x80
        found |= trailers(payload)
    assert found["grpc-status"] == str(grpc.StatusCode.INVALID_ARGUMENT.value[0])
    details = found["grpc-status-details-bin"]
    assert b"SESSION_ID_INVALID" in base64.b64decode(details + "=" * (-len(details) % 4))


@pytest.fixture(scope="module")
def guarded(binary, tmp_path_factory):
    """A server with a token that lets one page of another origin call."""
    server = Server(binary, tmp_path_factory.mktemp("guarded"), "--token", TOKEN, "--allow-origin", PAGE)
    yield server
    server.close()


def ask(address: str, method: str, **headers: str) -> dict:
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"/{SERVICE}/Health", b"\0\0\0\0\0" if method == "POST" else None, headers)
    response = connection.getresponse()
    answer: dict = {name.lower(): value for name, value in response.getheaders()} | {"status": response.status}
    answer["body"] = response.read()
    connection.close()
    return answer


def test_an_allowed_origin_gets_cors_headers(guarded):
    wanted = "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout"
    permission = ask(guarded.address, "OPTIONS", Origin=PAGE, Access_Control_Request_Method="POST",
                     Access_Control_Request_Headers=wanted)
    assert permission["status"] == 200
    assert permission["access-control-allow-origin"] == PAGE
    assert "POST" in permission["access-control-allow-methods"]
    assert set(wanted.split(",")) <= set(permission["access-control-allow-headers"].lower().split(","))
    form = {"Content_Type": "application/grpc-web+proto", "X_Grpc_Web": "1", "Origin": PAGE}
    for token, serves in [(TOKEN, True), ("another token of length", False)]:
        answer = ask(guarded.address, "POST", Authorization=f"Bearer {token}", **form)
        assert (b"grpc-status:0" in answer["body"]) == serves
        # Without these a page could not read the reason of a refusal.
        assert answer["access-control-allow-origin"] == PAGE
        exposed = answer["access-control-expose-headers"].lower().split(",")
        assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= {name.strip() for name in exposed}


@pytest.mark.parametrize("origin", ["https://evil.example", "http://page.example", "https://page.example.evil.example", "null"])
def test_a_browser_lets_no_other_page_call(guarded, origin):
    permission = ask(guarded.address, "OPTIONS", Origin=origin, Access_Control_Request_Method="POST")
    answer = ask(guarded.address, "POST", Origin=origin, Authorization=f"Bearer {TOKEN}", Content_Type="application/grpc-web+proto")
    for response in (permission, answer):
        assert response.get("access-control-allow-origin") not in (origin, "*")
    assert b"grpc-status:0" not in answer["body"]


class Certificates:
    """An authority, a server's certificate, and unusable files, all as PEM."""

    def __init__(self, folder):
        self.folder, authority = folder, trustme.CA()
        own, other = (authority.issue_cert("localhost", "127.0.0.1") for _ in range(2))
        for name, blob in [("key", own.private_key_pem), ("other-key", other.private_key_pem), ("ca", authority.cert_pem),
                           ("other-ca", trustme.CA().cert_pem)]:
            blob.write_to_path(self[name])
        self["cert"].write_bytes(b"".join(blob.bytes() for blob in own.cert_chain_pems))
        self["text"].write_text("Dear server,\nplease trust me.\n")
        self["empty"].touch()

    def __getitem__(self, name: str):
        return self.folder / f"{name}.pem"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_tls_serves_clients_that_trust_the_authority(start, cli, certificates, tmp_path):
    server = start("--tls-cert", str(certificates["cert"]), "--tls-key", str(certificates["key"]))
    trusted = grpc.ssl_channel_credentials(certificates["ca"].read_bytes())
    song = wav(music(1))
    with grpc.secure_channel(server.address, trusted) as channel:
        result = separate(service.SeparationServiceStub(channel), song)
        assert result.error is None
    (tmp_path / "song.wav").write_bytes(song)
    command = ["separate", "song.wav", "-o", "out", "--server", f"https://localhost:{server.address.split(':')[1]}"]
    cli(*command, "--tls-ca", certificates["ca"])
    for name, (audio, _) in stems(tmp_path / "out" / "song").items():
        assert audio.tobytes() == bytes(result.stems[name])
    # An authority that has not signed it; and no TLS where the server requires it.
    output = cli(*command, "--force", "--tls-ca", certificates["other-ca"], code=5)
    assert "certificate" in output.err.splitlines()[-2]
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            service.SeparationServiceStub(channel).Health(api.HealthRequest(), timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", ["nosuch", "text", "empty"])
def test_an_invalid_certificate_authority_is_reported(cli, certificates, tmp_path, name):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    output = cli("separate", "song.wav", "--server", "https://127.0.0.1:1", "--tls-ca", certificates[name], code=2)
    check_refused(output.err, f"{name}.pem", "PEM")


@pytest.mark.parametrize("certificate, key, code, cause", [
    ("nosuch", "key", 2, "nosuch.pem: No such file"),
    ("cert", "nosuch", 2, "nosuch.pem: No such file"),
    ("text", "key", 2, "text.pem contains no CERTIFICATE"),
    ("cert", "text", 2, "text.pem contains no PRIVATE KEY"),
    ("empty", "empty", 2, "empty.pem contains no CERTIFICATE"),
    ("key", "cert", 2, "key.pem contains no CERTIFICATE"),
    ("cert", "other-key", 5, "KeyMismatch"),
])
def test_an_unusable_certificate_is_reported_first(cli, certificates, tmp_path, certificate, key, code, cause):
    options = ["--tls-cert", certificates[certificate], "--tls-key", certificates[key]]
    output = cli("serve", "--listen", "127.0.0.1:0", "--data-dir", "data", *options, code=code, STEMWIRE_LOG="error",
               STEMWIRE_RUNTIME="/no/library.so")
    check_refused(output.err, cause, "PEM")
    assert output.out == b"", "it does not say that it listens"


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_other_machines_are_not_served_by_accident(cli, listen):
    output = cli("serve", "--listen", listen, "--data-dir", "data", code=2, STEMWIRE_RUNTIME="/no/library.so")
    check_refused(output.err, "other machines", "--token.*--insecure")
    assert output.out == b""


@pytest.mark.parametrize("options", [["--token", TOKEN], ["--insecure"]])
def test_other_machines_are_served_only_if_that_is_allowed(start, options):
    server = start(*options, listen="0.0.0.0:0")
    port = server.address.split(":")[1]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        metadata = [("authorization", f"Bearer {TOKEN}")] if "--token" in options else []
        health = service.SeparationServiceStub(channel).Health(api.HealthRequest(), metadata=metadata, timeout=10)
        assert health.status == api.SERVING_STATUS_SERVING
