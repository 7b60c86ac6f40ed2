"""The command line: the token of a server, from a file, and a run that is interrupted before the server has answered."""
import contextlib
import os
import signal
import socket
import subprocess
import threading

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, check_refused, wait_for
from ..stemwire_client import api, session_pb2
from .folders import names

MODELS = INSTANT_MODEL
TOKEN = "a-token-of-some-length"


@pytest.fixture
def guarded(start, short, tmp_path):
    """A server with a token, and a command that separates a song there; a file for the token, which only its user can read."""
    server = start("--token", TOKEN)
    file = tmp_path / "token"
    file.touch(0o600)
    return file, ["separate", short, "--server", f"http://{server.address}", "-o", "out"]


def test_the_token_is_read_from_a_file(cli, guarded, tmp_path):
    file, command = guarded
    file.write_text(f"# of November\n\n{TOKEN}\nthe-token-of-another\n")
    assert "warning" not in cli(*command, "--token-file", file).err
    assert names(tmp_path / "out") == ["short"]
    assert "skipped" in cli(*command, STEMWIRE_TOKEN_FILE=str(file)).err
    file.write_text("the-token-of-another\n")
    check_refused(cli(*command, "--token-file", file, "--force", code=5).err, "token", "")


def test_a_token_file_has_the_rules_of_the_servers(cli, guarded):
    file, command = guarded
    both = cli(*command, "--token-file", file, "--token", TOKEN, code=2).err
    check_refused(both, "both --token and --token-file", "Leave one")
    for text, cause in (("", "no token"), ("short\n", "line 1: the token has fewer than 16"), (f"{TOKEN} # mine\n", "has a space")):
        file.write_text(text)
        refused = cli(*command, "--token-file", file, code=2).err
        check_refused(refused, cause, "one token")
        assert TOKEN not in refused
    check_refused(cli(*command, "--token-file", file.with_name("none"), code=2).err, "cannot read", "Name a text file")
    file.write_text(TOKEN)
    file.chmod(0o644)
    assert f"all users of this machine can read the token in {file}" in cli(*command, "--token-file", file).err
    # Without --server it is not needed.
    cli("separate", command[1], "-o", "here", "--token-file", file.with_name("none"))


class Muting:
    """A proxy whose client hears nothing from a server on the connections that `is_mute` has."""

    def __init__(self, address: str, is_mute):
        self.target, self.is_mute, self.count = address.rsplit(":", 1), is_mute, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.getsockname())
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((self.target[0], int(self.target[1])))
                mute, self.count = self.is_mute(self.count), self.count + 1
                for source, target in ((client, server), (server, None if mute else client)):
                    threading.Thread(target=pump, args=(source, target), daemon=True).start()


def pump(source: socket.socket, target: socket.socket | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            if target:
                target.sendall(data)
        if target:
            target.shutdown(socket.SHUT_WR)


def interrupted(binary, server, folder, is_mute) -> str:
    """What a run prints that is interrupted once the server has its session, which the run does not know."""
    proxy = Muting(server.address, is_mute)
    (folder / "unnamed.wav").write_bytes(wav(music(2)))
    command = [binary, "separate", folder / "unnamed.wav", "-o", folder / "out", "--offline", "--server", f"http://{proxy.address}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    wait_for(lambda: [session.config.file_name for session in sessions(server)] == ["unnamed.wav"])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    proxy.listener.close()
    assert process.returncode == 130 and names(folder / "out") == []
    return err.replace(proxy.address, server.address)


def sessions(server) -> list:
    return list(server.stub.ListSessions(api.ListSessionsRequest()).sessions)


def test_a_run_that_is_interrupted_before_its_session_has_a_name_cancels_it(binary, start, tmp_path):
    server = start()
    # The first connection asks for the models, the second one sends the song.
    err = interrupted(binary, server, tmp_path, lambda number: number == 1)
    [session] = sessions(server)
    assert err == f"interrupted: session {session.session_id} is cancelled\n"
    assert session.state in (session_pb2.SESSION_STATE_CANCELLED, session_pb2.SESSION_STATE_DONE)


def test_a_run_that_cannot_cancel_a_session_without_a_name_prints_how_to_find_it(binary, start, tmp_path):
    server = start()
    err = interrupted(binary, server, tmp_path, lambda number: number > 0)
    assert "session of this run was not cancelled: no answer" in err
    assert f"curl http://{server.address}/api/sessions\n" in err
