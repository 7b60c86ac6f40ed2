"""Tokens and certificates in files are replaced while the server runs."""
import contextlib
import re
import select
import signal
import ssl
import subprocess
import threading

import grpc
import pytest
import trustme

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, check_refused, wait_for
from ..http_client import call
from ..stemwire_client import Background, api, collect, reason, requests, service

MODELS = INSTANT_FOUR_STEMS
OLD, NEW = "the-token-of-october", "the-token-of-november"
# These tests ask again and again whether a token is valid.
PATIENT = ["--max-guesses", "100000"]


def write(path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


class Identity:
    """A certificate with its key and authority; `write` replaces the files of another one."""

    def __init__(self):
        self.authority = trustme.CA()
        self.issued = self.authority.issue_cert("localhost", "127.0.0.1")
        self.certificate, self.key = self.issued.cert_chain_pems[0].bytes().decode(), self.issued.private_key_pem.bytes().decode()

    def write(self, folder) -> list:
        write(folder / "cert.pem", self.certificate)
        write(folder / "key.pem", self.key)
        return ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]

    def is_served(self, server) -> bool:
        """Whether a new handshake gets this certificate."""
        served = ssl.get_server_certificate(tuple(server.address.split(":")))
        return ssl.PEM_cert_to_DER_cert(served) == ssl.PEM_cert_to_DER_cert(self.certificate)


def bearer(token: str) -> list:
    return [("authorization", f"Bearer {token}")]


def is_accepted(stub, token: str) -> bool:
    try:
        stub.ListSessions(api.ListSessionsRequest(), metadata=bearer(token), timeout=10)
        return True
    except grpc.RpcError as error:
        assert reason(error)[:2] == ("UNAUTHENTICATED", "TOKEN_MISSING")
        return False


def reloads(server, credentials: str) -> int:
    return len(re.findall(rf"reloaded.*credentials=\"?{credentials}", server.log_text()))


def metric(server, name: str, token: str) -> list:
    text = call(server, "GET", "/metrics", headers={"Authorization": f"Bearer {token}"}).body.decode()
    return re.findall(rf"^stemwire_{name} (\d+)$", text, re.MULTILINE)


@pytest.fixture
def tokens(tmp_path):
    file = tmp_path / "tokens"
    write(file, f"# October\n{OLD}\n")
    return file


def test_token_and_certificate_change_while_a_call_streams(start, tokens, tmp_path):
    old, new = Identity(), Identity()
    server = start(*old.write(tmp_path), "--token-file", str(tokens), *PATIENT)
    streams, rotated = threading.Event(), threading.Event()

    def pause(sent: int):
        # The first stems are there, the upload is not.
        if sent > len(song) * 3 // 4:
            streams.set()
            assert rotated.wait(60)

    song = wav(music(12))
    root = grpc.ssl_channel_credentials(old.authority.cert_pem.bytes())
    with grpc.secure_channel(server.address, root) as channel:
        stub = service.SeparationServiceStub(channel)
        running = Background(lambda: collect(stub.Separate(requests(song, pause=pause), metadata=bearer(OLD))))
        with contextlib.ExitStack() as stack:
            stack.callback(rotated.set)
            assert streams.wait(60)
            # Both are valid for a while.
            write(tokens, f"{OLD}\n{NEW}\n")
            wait_for(lambda: is_accepted(stub, NEW))
            assert is_accepted(stub, OLD) and old.is_served(server)
            new.write(tmp_path)
            wait_for(lambda: new.is_served(server))
            write(tokens, f"{NEW}\n")
            wait_for(lambda: not is_accepted(stub, OLD))
            # On the connection of the old certificate, which stays.
            assert is_accepted(stub, NEW)
        result = running.result()
    assert result.error is None and len(result.stems) == 4
    root = grpc.ssl_channel_credentials(new.authority.cert_pem.bytes())
    with grpc.secure_channel(server.address, root) as channel:
        assert is_accepted(service.SeparationServiceStub(channel), NEW)
    assert not re.search(f"{OLD}|{NEW}|PRIVATE", server.log_text())


def test_links_that_are_exchanged_are_followed(start, tmp_path):
    """As Kubernetes mounts a secret: `..data` is a link to a folder, and each file a link through it."""
    identities = [Identity(), Identity()]
    for number, (identity, token) in enumerate(zip(identities, [OLD, NEW])):
        (tmp_path / f"..{number}").mkdir()
        write(tmp_path / f"..{number}" / "tokens", token)
        identity.write(tmp_path / f"..{number}")
    (tmp_path / "..data").symlink_to("..0")
    for name in ("tokens", "cert.pem", "key.pem"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    options = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    server = start(*options, "--token-file", str(tmp_path / "tokens"), *PATIENT)
    assert identities[0].is_served(server)
    (tmp_path / "..next").symlink_to("..1")
    (tmp_path / "..next").replace(tmp_path / "..data")
    wait_for(lambda: identities[1].is_served(server))
    wait_for(lambda: reloads(server, "tokens") == 1)
    with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(identities[1].authority.cert_pem.bytes())) as channel:
        stub = service.SeparationServiceStub(channel)
        assert is_accepted(stub, NEW) and not is_accepted(stub, OLD)


def test_a_broken_token_file_leaves_the_earlier_tokens(start, tokens):
    server = start("--token-file", str(tokens), *PATIENT)
    assert metric(server, 'credentials_outdated{credentials="tokens"}', OLD) == ["0"]
    for number, text in enumerate(["", "# none\n", f"{NEW}\nshort\n", f"{NEW}\u00e9\n", None], 1):
        if text is None:
            tokens.unlink()
        else:
            tokens.write_text(text)
        server.process.send_signal(signal.SIGHUP)
        failed = lambda: [line for line in server.log_text().splitlines() if "not reloaded" in line]
        wait_for(lambda: len(failed()) == number)
        assert is_accepted(server.stub, OLD) and not is_accepted(server.stub, NEW)
        assert metric(server, 'credentials_outdated{credentials="tokens"}', OLD) == ["1"]
        assert metric(server, 'credential_reloads_total{credentials="tokens",result="failed"}', OLD) == [str(number)]
        assert str(tokens) in failed()[-1] and "remedy=" in failed()[-1]
    assert not re.search(f"{NEW}|short\\b", server.log_text())
    write(tokens, NEW)
    wait_for(lambda: is_accepted(server.stub, NEW))
    assert metric(server, 'credentials_outdated{credentials="tokens"}', NEW) == ["0"]


def test_a_certificate_without_its_key_leaves_the_earlier_one(start, cli, tmp_path):
    old, new = Identity(), Identity()
    files = old.write(tmp_path)
    server = start(*files)
    doctor = lambda: cli("doctor", *files, "--listen", "127.0.0.1:0", code=1, STEMWIRE_RUNTIME="/no/library.so").out.decode()
    write(tmp_path / "cert.pem", new.certificate)
    wait_for(lambda: "KeyMismatch" in server.log_text())
    assert old.is_served(server) and re.search("BAD   TLS cannot be served .*KeyMismatch", doctor())
    write(tmp_path / "key.pem", new.key)
    wait_for(lambda: new.is_served(server))
    assert f"good  the certificate in {tmp_path / 'cert.pem'} and its key can be used" in doctor()


def test_signals_to_reload_do_not_end_a_server_that_starts(binary, tokens, tmp_path):
    data = tmp_path / "data"
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data), "--token-file", str(tokens)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wait_for(data.exists)
        while not select.select([process.stdout], [], [], 0.001)[0]:
            process.send_signal(signal.SIGHUP)
        assert process.stdout.readline().startswith("listening on")
        process.terminate()
        assert process.wait(30) == 0


def test_the_token_file_is_checked_at_the_start(cli, tokens):
    command, missing = ["serve", "--data-dir", "data"], {"STEMWIRE_RUNTIME": "/no/library.so"}
    run = lambda *options, **variables: cli(*command, *options, code=2, **missing, **variables).err
    check_refused(run("--token-file", "nosuch"), "nosuch: No such file", "can read")
    check_refused(run("--token-file", tokens, "--token", NEW), "--token and --token-file", "file")
    tokens.write_text(f"{OLD}\n\ntoo-short\n")
    err = run(STEMWIRE_TOKEN_FILE=str(tokens))
    check_refused(err, "tokens, line 3: .*fewer than 16", "one token")
    assert "too-short" not in err


def test_a_secret_that_all_users_can_read_is_reported(start, cli, tokens):
    tokens.chmod(0o644)
    assert re.search(f"WARN.*all users.*file={tokens}", start("--token-file", str(tokens)).log_text())
    command = ["doctor", "--token-file", tokens, "--listen", "127.0.0.1:0"]
    doctor = lambda: cli(*command, code=1, STEMWIRE_RUNTIME="/no/library.so").out.decode()
    assert f"BAD   all users of this machine can read {tokens}" in doctor()
    write(tokens, "short")
    assert f"BAD   {tokens}, line 1: the token has fewer than 16 characters" in doctor()
    write(tokens, OLD)
    assert f"good  the tokens in {tokens} can be used" in doctor()
