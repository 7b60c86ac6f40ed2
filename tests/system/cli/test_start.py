"""Start of the server: invalid configurations are refused at once, and connections until it serves."""
import os
import re
import select
import shutil
import socket
import subprocess

import psutil
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, check_refused, wait_for
from ..repository import ROOT
from ..server import free_address
from ..stemwire_client import api, connect, separate, service

MODELS = QUICK_MODEL

# The runtime is searched for last, and this one is missing.
NOTHING_COMPUTES = {"STEMWIRE_RUNTIME": "/no/library.so"}


def serve(data="data", listen="127.0.0.1:0", *options):
    return ("serve", "--listen", listen, "--data-dir", data, *options)


def test_what_computes_is_looked_for_last(cli):
    assert "/no/library.so" in cli(*serve(), code=4, **NOTHING_COMPUTES).err


def test_an_address_in_use_is_reported_first(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        output = cli(*serve(listen=address), code=5, **NOTHING_COMPUTES)
        check_refused(output.err, f"cannot listen on {address}", "--listen")


def test_a_data_folder_in_use_is_reported_first(cli, start, tmp_path):
    start(data=tmp_path / "data")
    check_refused(cli(*serve(), code=6, **NOTHING_COMPUTES).err, "data is in use", "--data-dir")
    (tmp_path / "file").touch()
    check_refused(cli(*serve("file"), code=6, **NOTHING_COMPUTES).err, "cannot write file", "folder")


@pytest.mark.parametrize("options, cause, remedy", [
    (("--engines", "nosuch"), "nosuch", "models list"),
    (("--threads", "2", "--workers", "3"), "3 workers", "--workers"),
    (("--allow-host", "localhost,music.example:8000"), '"music.example:8000"', "--allow-host a name without scheme and port"),
    (("--allow-origin", "page.example"), '"page.example"', "https://HOST"),
    (("--allow-origin", "https://page.example/"), '"https://page.example/"', "without a path"),
])
def test_invalid_options_are_reported_first(cli, options, cause, remedy):
    check_refused(cli(*serve("data", "127.0.0.1:0", *options), code=2, **NOTHING_COMPUTES).err, cause, remedy)


def test_a_server_without_a_place_is_none(cli):
    assert "--max-open" in cli(*serve("data", "127.0.0.1:0", "--max-open", "0"), code=2, **NOTHING_COMPUTES).err


@pytest.fixture
def slow(tmp_path):
    """A folder with a model whose graph is a pipe, so that loading lasts until it is written; and this graph."""
    folder = tmp_path / "models" / "slow"
    shutil.copytree(ROOT / "models" / "mini-spleeter", folder)
    card = folder / "card.toml"
    card.write_text(card.read_text().replace('"mini-spleeter"', '"slow"'))
    graph = folder / "graph.onnx"
    good = graph.read_bytes()
    graph.unlink()
    os.mkfifo(graph)
    return folder.parent, graph, good


def opened(pipe) -> int:
    """The writing end of the pipe, once it has a reader."""
    found = []

    def somebody_reads():
        try:
            found.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    wait_for(somebody_reads)
    os.set_blocking(found[0], True)
    return found[0]


def test_until_it_serves_connections_are_refused_and_data_and_address_are_its_own(cli, binary, slow, tmp_path):
    models, pipe, good = slow
    address = free_address()
    port = int(address.split(":")[1])
    command = [binary, *serve("data", address, "--offline", "--models-dir", models, "--engines", "slow")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True)
    try:
        writer = opened(pipe)
        # It loads its model now.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        check_refused(cli(*serve(), code=6).err, "data is in use", "--data-dir")
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("127.0.0.1", port))
        assert not select.select([process.stdout], [], [], 0)[0], "it does not say that it listens"
        with open(writer, "wb") as file:  # noqa: PTH123  (a descriptor)
            file.write(good)
        assert re.fullmatch(f"listening on http://{address}\n", process.stdout.readline())
        with connect(address) as channel:
            stub = service.SeparationServiceStub(channel)
            assert stub.Health(api.HealthRequest()).status == api.SERVING_STATUS_SERVING
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_without_a_cluster_a_server_is_one_process_with_one_port_and_its_data(start):
    server = start()
    separate(server.stub, wav(music(1)))
    process = psutil.Process(server.process.pid)
    # The decoder has ended.
    wait_for(lambda: not process.children())
    sockets = process.net_connections(kind="inet")
    # The one that listens, and calls that came by it: it has called no other.
    assert {socket.laddr.port for socket in sockets} == {int(server.address.rsplit(":")[-1])}
    assert names(server.data) == {"lock", "sessions"}
    (session,) = (server.data / "sessions").iterdir()
    assert names(session) == {"session.json", "stems", "upload"}


def names(folder) -> set:
    return {path.name for path in folder.iterdir()}
