"""The Python client: files of a finished session over plain HTTP, against the same files read by another HTTP client."""
import hashlib
import http.client
import socket
import threading

import pytest

from ..stemwire_client import Config, separate

# Both clients, with the same names: `run(client.download(…))`.
BLOCKING = "client, run = stemwire.Client(SERVER), lambda result: result\n"
ASYNCIO = """
from stemwire import aio
loop = asyncio.new_event_loop()
run = loop.run_until_complete
async def made(): return aio.Client(SERVER)
client = run(made())
"""


@pytest.fixture(scope="module")
def session_id(server, short) -> str:
    return separate(server.stub, short, Config(stems=["vocals", "drums"])).session.session_id


def fetched(server, path: str) -> str:
    connection = http.client.HTTPConnection(server.address)
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    return hashlib.sha256(response.read()).hexdigest()


@pytest.mark.parametrize("client", [BLOCKING, ASYNCIO], ids=["blocking", "asyncio"])
def test_files_are_those_that_the_server_serves(program, server, session_id, client):
    output = program(client + """
import math, pathlib
session, sums = ARGUMENTS[0], {}
for name, work in {
    "vocals.mp3": lambda to: client.download(session, "vocals", to, format="mp3", bitrate=320),
    "drums.wav": lambda to: client.download(session, "drums", pathlib.Path(to)),
    "mix.flac": lambda to: client.download_mix(session, {"vocals": -math.inf, "drums": -3}, to, format="flac", fit=True),
    "stems.zip": lambda to: client.download_zip(session, to, format="wav-f32"),
}.items():
    assert run(work(name)) == pathlib.Path(name)
    sums[name] = hashlib.sha256(open(name, "rb").read()).hexdigest()
try:
    run(client.download(session, "choir", "choir.wav"))
except stemwire.StemwireError as error:
    refused = [error.code, error.reason, error.request_id != "", error.remedy != ""]
try:
    run(client.download("00000000-0000-4000-8000-000000000000", "vocals", "none.wav"))
except stemwire.SessionNotFound as error:
    refused.append(error.reason)
say(sums=sums, refused=refused, files=sorted(path.name for path in pathlib.Path(".").iterdir()))
""", server.address, session_id).end()
    prefix = f"/download/{session_id}"
    assert output.sums["vocals.mp3"] == fetched(server, f"{prefix}/vocals?format=mp3&bitrate=320")
    assert output.sums["drums.wav"] == fetched(server, f"{prefix}/drums")
    assert output.sums["mix.flac"] == fetched(server, f"{prefix}/mix?gains=vocals:-inf,drums:-3&format=flac&fit=true")
    assert output.refused == ["NOT_FOUND", "STEM_UNKNOWN", True, True, "SESSION_NOT_FOUND"]
    assert output.files == sorted(output.sums)


class Halving:
    """A proxy in front of a server that breaks its first `broken` connections off within the file."""

    def __init__(self, server, broken: int):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.getsockname())
        self.served, self.broken, self.server = 0, broken, server.address.rsplit(":", 1)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.create_connection((self.server[0], int(self.server[1]))) as upstream:
                request = client.recv(65536).replace(self.address.encode(), ":".join(self.server).encode())
                upstream.sendall(request)
                self.served += 1
                left = 50_000 if self.served <= self.broken else 1 << 30
                while left > 0 and (piece := upstream.recv(min(left, 65536))):
                    client.sendall(piece)
                    left -= len(piece)


@pytest.fixture
def halving(server):
    proxies = []

    def make(broken: int) -> Halving:
        proxies.append(Halving(server, broken))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.listener.close()


def test_a_broken_download_is_repeated_and_leaves_no_part(program, halving, server, session_id):
    source = """
import pathlib
client = stemwire.Client(SERVER, retry=stemwire.Retry(attempts=3, first_pause=0.01))
pathlib.Path("vocals.wav").write_bytes(b"an earlier file")
try:
    client.download(ARGUMENTS[0], "vocals", "vocals.wav")
    failed = ""
except stemwire.Unreachable as error:
    failed = str(error)
say(sum=hashlib.sha256(open("vocals.wav", "rb").read()).hexdigest(), failed=failed, files=[p.name for p in pathlib.Path(".").iterdir()])
"""
    whole = fetched(server, f"/download/{session_id}/vocals")
    proxy = halving(2)
    output = program(source, proxy.address, session_id).end()
    assert (output.sum, output.failed, output.files, proxy.served) == (whole, "", ["vocals.wav"], 3)

    proxy = halving(100)
    output = program(source, proxy.address, session_id).end()
    assert "bytes are missing" in output.failed or "does not answer" in output.failed
    assert output.sum == hashlib.sha256(b"an earlier file").hexdigest()
    assert output.files == ["vocals.wav"] and proxy.served == 4
