#!/usr/bin/env python3
"""Kills a server with SIGKILL again and again while it works, and checks that no session is lost or changed.

    chaos.py --stemwire FILE [--kills N] [--sessions N] [--seed N] [--work DIR]
    chaos.py --stemwire FILE --cluster …        (cluster_chaos.py, with its options)

Clients open sessions, upload, cancel and delete while the server is killed: at random moments, while it starts, and as soon
as its files are between two writes of a commit. At the end every session must be what the server has answered: uploads
complete, DONE with the bytes of an undisturbed run; the others resumable to the same; no file left behind. Ends with 1
where one is not.
"""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from system.repository import generate_stubs

sys.path.insert(0, generate_stubs())

import grpc

from chaos_clients import Client, Ending, Role, songs
from system.server import Server, free_address, set_variables
from system.stemwire_client import api, get_stem, separate, session_pb2

# The longest that a server runs before it is killed, and the longest wait for a point of a commit.
LONGEST_RUN_S = 2.0
# How long nothing may change at the end; a session is delayed for at most a minute.
PATIENCE_S = 180
# Name of a point that most kills find.
COMPUTED = "a segment is computed"
QUICK = {"STEMWIRE_ENGINES": "mini-spleeter,mini", "STEMWIRE_PROVIDER": "cpu"}


def points(directory: Path) -> set[str]:
    """The points of a commit at which the files of a session are."""
    found = set()
    with contextlib.suppress(OSError, ValueError):
        manifest = json.loads((directory / "session.json").read_text())
        segments, frames = manifest["commit"]["segments"], manifest["commit"]["stems"]
        names = {path.name for path in directory.iterdir()}
        stems = {path.name: path.stat().st_size for path in (directory / "stems").iterdir() if path.name != "checksums"}
        growing = [size for name, size in stems.items() if name.endswith(".part")]
        if any(name.startswith("computing.") for name in names):
            found.add(COMPUTED)
        if any(size >= (frames + 1) * 8 + 100 for size in growing):
            found.add("stems are ahead of the manifest")
        if f"carry.{segments + 1}" in names:
            found.add("the overlap state is ahead of the manifest")
        if any(name.endswith(".new") for name in names):
            found.add("the manifest is written")
        if f"carry.{segments - 1}" in names:
            found.add("the old overlap state is there")
        if manifest["state"] != "DONE" and len(growing) < len(stems):
            found.add("stems have their final names before DONE")
        if manifest["state"] == "DONE" and ("track.f32" in names or any(name.startswith("carry.") for name in names)):
            found.add("DONE before scratch files are removed")
    return found


class Chaos:
    """The server, its clients, and what has been found."""

    def __init__(self, options: argparse.Namespace, work: Path):
        self.draw = random.Random(options.seed)
        self.options = options
        self.data = work / "data"
        self.songs = songs()
        self.reference = self.undisturbed(work / "reference")
        self.clients = [Client(self.songs, self.draw) for _ in range(options.sessions)]
        self.findings: list[str] = []
        self.points: Counter[str] = Counter()
        self.listening_s: list[float] = []
        self.answered_s: list[float] = []
        self.listen = free_address()

    def undisturbed(self, data: Path) -> dict[str, dict]:
        """The digests of each song's stems when nothing is killed."""
        server = Server(self.options.stemwire, data, variables=QUICK)
        digests = {name: separate(server.stub, song).digests() for name, song in self.songs.items()}
        server.close()
        shutil.rmtree(data)
        return digests

    def start(self) -> Server:
        begun = time.monotonic()
        server = Server(self.options.stemwire, self.data, listen=self.listen, variables=QUICK)
        self.listening_s.append(time.monotonic() - begun)
        # Reads every session.
        server.stub.ListSessions(api.ListSessionsRequest())
        self.answered_s.append(time.monotonic() - begun)
        return server

    def directories(self) -> list[Path]:
        return sorted((self.data / "sessions").iterdir())

    def run(self) -> None:
        for kill in range(self.options.kills):
            if self.draw.random() < 0.1:
                self.kill_while_it_starts()
                continue
            server = self.start()
            killer = threading.Thread(target=self.kill, args=(server, random.Random(self.draw.random())))
            killer.start()
            # They begin one after the other, so that there is work until the last kill.
            begun = self.clients[: 1 + kill * len(self.clients) // self.options.kills]
            while killer.is_alive():
                open_now = [client for client in begun if client.ending == Ending.NONE]
                if open_now:
                    self.step(server, self.draw.choice(open_now))
                time.sleep(0.005)
            self.check_end(server)
            for directory in self.directories():
                self.points.update(points(directory))
            if (kill + 1) % 50 == 0:
                print(f"{kill + 1} kills; {sum(client.ending != Ending.NONE for client in self.clients)} sessions ended", flush=True)

    def kill_while_it_starts(self) -> None:
        command = [self.options.stemwire, "serve", "--listen", self.listen, "--data-dir", str(self.data), "--offline"]
        quiet, variables = subprocess.DEVNULL, set_variables(os.environ, QUICK)
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=variables) as process:
            time.sleep(self.draw.uniform(0, 0.3))
            process.kill()

    def kill(self, server: Server, draw: random.Random) -> None:
        """Kills the server at a random moment; in two cases of five, as soon as a session is at a point of a commit."""
        time.sleep(min(draw.expovariate(1 / 0.6), LONGEST_RUN_S))
        if draw.random() < 0.4:
            end = time.monotonic() + LONGEST_RUN_S
            running = [directory for directory in self.directories() if (directory / "track.f32").exists()]
            while time.monotonic() < end and not any(points(directory) - {COMPUTED} for directory in running):
                time.sleep(0.0005)
        server.process.send_signal(signal.SIGKILL)

    def check_end(self, server: Server) -> None:
        code = server.process.wait()
        server.channel.close()
        if code != -signal.SIGKILL:
            self.findings.append(f"the server ended with {code} by itself")
        if "panicked" in server.log_text():
            self.findings.append(server.log_text())

    def step(self, server: Server, client: Client) -> None:
        try:
            finding = client.step(server.stub)
        except grpc.RpcError as error:
            # No answer is expected of a server that is being killed.
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(LONGEST_RUN_S)
                return
            finding = f"{client}: {error.code().name} {error.details()}"
        if finding:
            self.findings.append(finding)

    def finish(self) -> Server:
        """Completes what is incomplete, and waits for the end of all sessions."""
        server = self.start()
        for client in self.clients:
            finding = client.resume(server.stub)
            if finding:
                self.findings.append(finding)
        waiting = [client for client in self.clients if client.ending == Ending.NONE]
        changed, seen = time.monotonic(), None
        while waiting and time.monotonic() < changed + PATIENCE_S:
            time.sleep(0.5)
            now = [server.get(client.id) for client in waiting]
            states = [(session.state, session.progress.finished_frames) for session in now]
            if states != seen:
                changed, seen = time.monotonic(), states
            ended = [session_pb2.SESSION_STATE_DONE, session_pb2.SESSION_STATE_FAILED, session_pb2.SESSION_STATE_CANCELLED]
            waiting = [client for client, session in zip(waiting, now) if session.state not in ended]
        self.findings += [f"{client}: not ended after {PATIENCE_S} s without a change" for client in waiting]
        return server

    def check(self, server: Server) -> Counter:
        """Compares every session with what the server has answered."""
        outcomes: Counter[str] = Counter()
        for client in self.clients:
            try:
                session = server.get(client.id)
            except grpc.RpcError as error:
                gone = error.code() == grpc.StatusCode.NOT_FOUND
                if not (gone and client.role == Role.DELETED):
                    self.findings.append(f"{client}: lost, {error.details()}")
                outcomes["deleted"] += 1
                continue
            if client.ending == Ending.DELETED:
                self.findings.append(f"{client}: is there after it was deleted")
            state = session_pb2.SessionState.Name(session.state).removeprefix("SESSION_STATE_")
            outcomes[f"{client.role.value}: {state}"] += 1
            if state == "CANCELLED" and client.may_be_cancelled:
                continue
            if state != "DONE":
                self.findings.append(f"{client}: {state} {session.error.reason} {session.error.message}")
                continue
            if session.engine_changes:
                self.findings.append(f"{client}: {session.engine_changes[0].reason}")
            for name, digest in self.reference[client.song].items():
                if hashlib.sha256(get_stem(server.stub, client.id, name)).hexdigest() != digest:
                    self.findings.append(f"{client}: {name} has other bytes")
        return outcomes

    def check_files(self) -> None:
        """Finds files that no session should have left."""
        known = {client.id for client in self.clients}
        for directory in self.directories():
            if directory.name not in known:
                self.findings.append(f"{directory.name}: a session that no client has opened")
            state = json.loads((directory / "session.json").read_text())["state"]
            for path in directory.rglob("*"):
                name = path.relative_to(directory).as_posix()
                kept = name in ("session.json", "upload", "stems", "stems/checksums") or name.endswith(".wav")
                if not kept and not (state == "CANCELLED" and name.endswith(".wav.part")):
                    self.findings.append(f"{directory.name}: {name} is left of a session that is {state}")


def main() -> int:
    if "--cluster" in sys.argv:
        # In place of this program: it has the modules of the Python client.
        others = [argument for argument in sys.argv[1:] if argument != "--cluster"]
        os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("cluster_chaos.py")), *others])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stemwire", required=True, help="the binary")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for the data, kept; else a temporary one")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stemwire-chaos-")))
        begun = time.monotonic()
        chaos = Chaos(options, work)
        chaos.run()
        server = chaos.finish()
        outcomes = chaos.check(server)
        server.close()
        chaos.check_files()
    report(chaos, outcomes, time.monotonic() - begun)
    return 1 if chaos.findings else 0


def report(chaos: Chaos, outcomes: Counter, took_s: float) -> None:
    print(f"{chaos.options.kills} kills, {len(chaos.clients)} sessions, seed {chaos.options.seed}, {took_s:.0f} s")
    for outcome, count in sorted(outcomes.items()):
        print(f"  {outcome}: {count}")
    print("sessions at these points of a commit when the server was killed:")
    for point, count in chaos.points.most_common():
        print(f"  {point}: {count}")
    for what, times in [("listening", chaos.listening_s), ("all sessions listed", chaos.answered_s)]:
        print(f"restart until {what}: median {statistics.median(times):.2f} s, longest {max(times):.2f} s")
    print(f"findings: {len(chaos.findings)}")
    for finding in chaos.findings:
        print(f"  {finding}")


if __name__ == "__main__":
    sys.exit(main())
