"""Runs every scenario with every client against a real server."""
import contextlib
import hashlib
import random
import tomllib
import uuid
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme
from program import run

from system.audio import RATE, music, wav
from system.common import wait_for
from system.proxy import CuttingProxy
from system.server import Server, free_address
from system.stemwire_client import Config, api, config_pb2, separate

SCENARIOS = tomllib.loads((Path(__file__).parent / "scenarios.toml").read_text())["scenario"]
CASES = [(scenario, seed) for scenario in SCENARIOS for seed in range(scenario.get("rows", 1))]
ENCODINGS = {"s16": config_pb2.ENCODING_S16LE, "s24": config_pb2.ENCODING_S24LE}
CODES = {
    "SESSION_CANCELLED": grpc.StatusCode.CANCELLED, "SESSION_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "DEADLINE_EXCEEDED": grpc.StatusCode.DEADLINE_EXCEEDED,
}
TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> dict:
    """The songs by name."""
    folder, audio = tmp_path_factory.mktemp("songs"), music(8)
    # Larger than any message may be: 4 MiB.
    large = wav(np.tile(audio, (2, 1)), subtype="FLOAT")
    contents = {
        "song": wav(audio, subtype="FLOAT"), "large": large, "pcm": np.rint(audio * 32_767).astype("<i2").tobytes(),
        "noise": b"This is no music. " * 1000, "empty": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("data"), listen=free_address())
    yield server
    server.close()


@pytest.fixture(scope="module")
def references(server, songs):
    """references(task) is what another client receives: frames and SHA-256 of each stem."""
    known: dict = {}

    def reference(task: dict) -> dict:
        stems, encoding, raw = tuple(task.get("stems", [])), task.get("encoding"), bool(task.get("raw"))
        song, start = task.get("song", "song"), task.get("start_frame", 0)
        key = (song, stems, encoding, raw, start)
        if key not in known:
            config = Config(stems=stems, output=config_pb2.OutputFormat(encoding=ENCODINGS.get(encoding, 0)))
            if raw:
                config.input.CopyFrom(config_pb2.RawPcm(encoding=ENCODINGS["s16"], sample_rate=RATE, channels=2))
            result = separate(server.stub, songs[song].read_bytes(), config)
            assert result.error is None
            width = 2 * {"s16": 2, "s24": 3}.get(encoding, 4)
            parts = {name: pcm[width * start :] for name, pcm in result.stems.items()}
            known[key] = result.done.session_id, {
                name: {"frames": len(pcm) // width, "sha256": hashlib.sha256(pcm).hexdigest()} for name, pcm in parts.items()
            }
        return known[key]

    return reference


@contextlib.contextmanager
def another_server(binary: str, folder: Path, kind: str):
    """The address, and the fields of the task, for a server of this kind."""
    if kind == "none":
        yield "http://127.0.0.1:1", {}
        return
    options, task, scheme = [], {}, "http"
    if kind in ("token", "wrong token"):
        (folder / "token").write_text(TOKEN)
        options += ["--token-file", str(folder / "token")]
        task["token"] = TOKEN if kind == "token" else "another"
    else:
        authority = trustme.CA()
        issued, scheme = authority.issue_cert("127.0.0.1"), "https"
        authority.cert_pem.write_to_path(folder / "authority.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        options += ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]
        task["authority"] = str(folder / "authority.pem")
    server = Server(binary, folder / "data", *options)
    try:
        yield f"{scheme}://{server.address}", task
    finally:
        server.close()


@pytest.mark.parametrize("scenario, seed", CASES, ids=[f"{scenario['name']}-{seed}" for scenario, seed in CASES])
def test_conformance(commands, binary, server, songs, references, tmp_path, scenario, seed, client):
    task = dict(scenario.get("task", {}))
    path = songs[task.get("song", "song")]
    if task.get("request_id") == "new":
        task["request_id"] = str(uuid.uuid4())
    session_id, expected = references(task) if scenario["expect"] == "stems" else ("", {})
    task.pop("song", None)
    if task.get("watch") is True:
        task["watch"] = session_id
    elif task.get("watch") == "open":
        task["watch"] = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    with contextlib.ExitStack() as stack:
        address = f"http://{server.address}"
        if kind := scenario.get("server"):
            address, more = stack.enter_context(another_server(binary, tmp_path, kind))
            task.update(more)
        proxy = None
        if count := scenario.get("cuts"):
            draw = random.Random(seed)
            sizes = [draw.randrange(4_000, path.stat().st_size) for _ in range(count)]
            # Answers are cut where nothing is uploaded, and first of all: a connection that breaks before its first answer may be
            # one to another server, and is not retried.
            signs = [-1 if "watch" in task or n == 0 else draw.choice([1, -1]) for n in range(count)]
            cuts = [a * b for a, b in zip(sizes, signs, strict=True)]
            if "grpc-web" in client:
                # It has two connections, as one carries the upload and another the answers.
                cuts = [cut for cut in cuts for _ in range(2)]
            proxy = stack.enter_context(CuttingProxy(server.address, cuts, scenario.get("silent", False)))
            address = f"http://{proxy.address}"
        task["server"] = address
        stdin = path if scenario.get("stdin") else None
        if stdin is None and "watch" not in task:
            task["song"] = str(path)
        if "earlier" in scenario:
            earlier = run(commands[client], {**task, **scenario["earlier"]}, stdin)
            assert earlier["session"]
        beside = restarting(server) if scenario.get("kill") else lambda: None
        answer = run(commands[client], task, stdin, beside, ends=scenario.get("stdin") != "open")
        if proxy:
            assert proxy.done > 0, "no connection was cut"
    if (reason := scenario["expect"]) != "stems":
        # Whichever of both has noticed a deadline first: the client, whose errors have no reason, or the server.
        assert answer["error"]["reason"] in {reason, "" if reason == "DEADLINE_EXCEEDED" else reason}, answer
        assert answer["error"]["message"] and answer["error"]["remedy"].endswith("."), answer
        if code := CODES.get(reason):
            assert answer["error"]["code"] == code.value[0]
        return
    assert answer.get("stems") == expected, answer
    assert answer["rate"] == RATE
    if "earlier" in scenario:
        assert answer["session"] == earlier["session"]
    if scenario.get("kill"):
        assert answer["reconnects"] > 0


def restarting(server):
    """A function that kills the server once it has a part of a new upload, and starts it again."""
    def newest():
        sessions = server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions
        return sessions[0] if sessions else api.ListSessionsResponse().sessions

    before = newest()

    def has_begun() -> bool:
        now = newest()
        return now.session_id != getattr(before, "session_id", "") and now.committed_bytes > 0

    def restart() -> None:
        wait_for(has_begun)
        server.kill()
        server.restart()

    return restart
