"""A server, and the tools of others that call it."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from system.common import INSTANT_MODEL
from system.server import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items) -> None:
    """The tests of a file share servers and proxies: one process runs them."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    """A server whose engine takes no time."""
    server = Server(binary, tmp_path_factory.mktemp("data"), variables=INSTANT_MODEL)
    yield server
    server.close()
    assert "panicked" not in server.log_text()


@pytest.fixture(scope="session")
def tool():
    """tool(name, *arguments) runs a program that `make conformance` installs, and returns how it ended."""

    def tool(name: str, *arguments, timeout: float = 300, **options) -> subprocess.CompletedProcess:
        path = f"{os.environ.get('STEMWIRE_WIRE_TOOLS', '')}:{os.environ['PATH']}"
        program = shutil.which(name, path=path)
        assert program, f"{name} is not there: `make conformance` installs it"
        command, environment = [program, *map(str, arguments)], os.environ | {"PATH": path}
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment, **options)

    return tool
