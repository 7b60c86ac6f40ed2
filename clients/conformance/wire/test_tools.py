"""The commands in docs for health probes and for load run as documented."""
import json
import re

import pytest
import trustme

from system.audio import music, wav
from system.common import INSTANT_MODEL
from system.repository import ROOT
from system.server import Server
from system.stemwire_client import separate

OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()
PERFORMANCE = (ROOT / "docs" / "PERFORMANCE.md").read_text()
TOKEN = "a-token-of-the-tests"


def commands(text: str, name: str) -> list[str]:
    """The commands of a program in the shell examples of a page."""
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    return [line for line in blocks.replace("\\\n", " ").splitlines() if line.startswith(f"{name} ")]


def shell(tool, command: str, **variables: str):
    """Runs a command in bash."""
    return tool("env", *(f"{name}={value}" for name, value in variables.items()), "bash", "-c", command)


def test_documented_health_probes_succeed(server, tool):
    found = commands(OPERATIONS, "grpc-health-probe")
    assert len(found) >= 2
    for command in found:
        ended = shell(tool, command.replace("127.0.0.1:8000", server.address))
        assert ended.returncode == 0 and "SERVING" in ended.stderr, (command, ended.stderr)


def test_probes_of_what_is_not_there_fail(server, tool):
    unknown = tool("grpc-health-probe", "-addr", server.address, "-service", "stemwire.v1.Nothing")
    assert unknown.returncode != 0
    assert tool("grpc-health-probe", "-addr", "127.0.0.1:1", "-connect-timeout", "500ms").returncode == 2


def test_probes_need_no_token_and_check_the_certificate(binary, tool, tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    options = ["--token", TOKEN, "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    server = Server(binary, tmp_path / "data", *options, variables=INSTANT_MODEL)
    try:
        probe = ["grpc-health-probe", "-addr", server.address, "-tls"]
        assert tool(*probe, "-tls-ca-cert", tmp_path / "authority.pem").returncode == 0
        assert tool(*probe).returncode != 0
    finally:
        server.close()


@pytest.fixture(scope="module")
def session_id(server) -> str:
    return separate(server.stub, wav(music(5))).done.session_id


def test_documented_load_has_no_errors(server, tool, session_id):
    found = commands(PERFORMANCE, "ghz")
    assert len(found) >= 2
    for command in found:
        # The tests want the command, not the load; their model has other stems.
        short = re.sub(r"-n \d+", "-n 50", re.sub(r"-c \d+", "-c 5", command)).replace("vocals", "other")
        ended = shell(tool, f"{short.replace('127.0.0.1:8000', server.address)} --format json", session=session_id)
        assert ended.returncode == 0, (short, ended.stderr)
        report = json.loads(ended.stdout)
        assert report["statusCodeDistribution"] == {"OK": 50}, report
