"""Clients of a cluster that is disturbed: each has sessions, one after the other, and resumes them until they have ended."""
from __future__ import annotations

import hashlib
import json
import random
import subprocess
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import stemwire

from chaos_clients import Client, Ending, Role
from system import stemwire_client as wire

from .whole import CALL_S, Cluster

# After an error that ends a client's call.
PAUSE_S = 1.0
# Of a session, from its first call on.
PATIENCE_S = 600.0


@dataclass
class Song:
    """A song, its file, and its stems as one machine makes them."""

    name: str
    content: bytes
    path: Path
    seconds: float
    digests: dict[str, str]


@dataclass
class Session:
    """What a client has received of a session."""

    kind: str
    song: Song
    request: str = field(default_factory=lambda: str(uuid.uuid4()))
    id: str = ""
    ending: str = ""
    # What is wrong.
    findings: list[str] = field(default_factory=list)
    # Errors with which calls of the client ended, in spite of its own attempts.
    errors: Counter[str] = field(default_factory=Counter)
    # When a frame of the first stem had been received, and which.
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} client, {self.song.name}, session {self.id or 'unknown'}, request {self.request}"

    def note(self, code: str, reason: str, message: str) -> None:
        """An error: it must have a reason, or be that of a connection."""
        self.errors[reason or f"{code}, without reason: {message[:80]}"] += 1
        if not reason and code not in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED"):
            self.findings.append(f"{self}: an error without reason, {code}: {message}")


def streamed(cluster: Cluster, session: Session) -> None:
    """By the Python client. What was received before an error must be received again."""
    before: dict[str, bytearray] = {}
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        received: dict[str, bytearray] = {}
        try:
            with stemwire.Client(f"http://{cluster.balancer.address}") as client:
                separation = client.separate(session.song.content, request_id=session.request)
                for chunk in separation:
                    session.id = separation.session_id
                    stem = received.setdefault(chunk.stem, bytearray())
                    assert len(stem) == chunk.start_frame * 8, "a frame is repeated or missing"
                    stem.extend(chunk.pcm)
                    if chunk.stem == min(session.song.digests):
                        session.arrivals.append((time.monotonic(), chunk.start_frame + chunk.frames))
                session.id = separation.session_id
        except stemwire.StemwireError as error:
            session.note(error.code, error.reason, str(error))
            for name, pcm in received.items():
                common = min(len(pcm), len(before.get(name, b"")))
                if pcm[:common] != before.get(name, b"")[:common]:
                    session.findings.append(f"{session}: {name} has other bytes than before")
                if len(pcm) > common:
                    before[name] = pcm
            # A call that was not answered in time is one that a person repeats.
            is_late = error.code == "DEADLINE_EXCEEDED"
            if error.retry_after is None and not is_late and not isinstance(error, stemwire.Unreachable):
                session.findings.append(f"{session}: {error.code} {error.reason} {error.message}")
                return
            time.sleep(PAUSE_S)
            continue
        digests = {name: hashlib.sha256(pcm).hexdigest() for name, pcm in received.items()}
        if digests != session.song.digests:
            session.findings.append(f"{session}: stems have other bytes")
        session.ending = "DONE"
        return
    session.findings.append(f"{session}: not done after {PATIENCE_S} s")


def by_program(cluster: Cluster, session: Session, program: str) -> None:
    """By the Rust client, in a process of its own: the program of clients/conformance."""
    task = {"server": f"http://{cluster.balancer.address}", "song": str(session.song.path), "request_id": session.request}
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        ran = subprocess.run([program, json.dumps(task)], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if ran.returncode:
            session.findings.append(f"{session}: the program ended with {ran.returncode}: {ran.stderr[-500:]}")
            return
        answer = json.loads(ran.stdout)
        if "error" not in answer:
            session.id, session.ending = answer["session"], "DONE"
            if {name: stem["sha256"] for name, stem in answer["stems"].items()} != session.song.digests:
                session.findings.append(f"{session}: stems have other bytes")
            return
        error = answer["error"]
        code = next(code.name for code in grpc.StatusCode if code.value[0] == error["code"])
        session.note(code, error["reason"], error["message"])
        if code not in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL"):
            session.findings.append(f"{session}: {code} {error['reason']} {error['message']}")
            return
        time.sleep(PAUSE_S)
    session.findings.append(f"{session}: not done after {PATIENCE_S} s")


class Limited:
    """A stub whose calls have a time limit."""

    def __init__(self, stub):
        self.stub = stub

    def __getattr__(self, name: str):
        call = getattr(self.stub, name)
        return lambda request: call(request, timeout=CALL_S)


def in_steps(cluster: Cluster, session: Session, draw: random.Random) -> None:
    """By single calls, each at another gateway: stored bytes and finished frames never become fewer."""
    client = Client({session.song.name: session.song.content}, draw)
    client.request = session.request
    end = time.monotonic() + PATIENCE_S
    while client.ending == Ending.NONE and time.monotonic() < end:
        try:
            finding = client.step(Limited(draw.choice(cluster.stubs)))
            session.id = client.id
            if finding:
                session.findings.append(finding)
                return
            if client.stored >= client.stop and not client.may_be_cancelled:
                client.stop, client.resumed = len(client.bytes), True
            time.sleep(0.2)
        except grpc.RpcError as error:
            code, reason, _ = wire.reason(error)
            session.note(code, reason, error.details() or "")
            if client.may_be_cancelled and reason in ("SESSION_ENDED", "SESSION_CANCELLED", "SESSION_NOT_FOUND"):
                break
            if code not in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED", "ABORTED"):
                session.findings.append(f"{session}: {code} {reason} {error.details()}")
                return
            time.sleep(PAUSE_S)
    session.ending = {Role.CANCELLED: "CANCELLED", Role.DELETED: "DELETED"}.get(client.role, "DONE")
    if time.monotonic() > end:
        session.findings.append(f"{session}: not done after {PATIENCE_S} s")


class Crowd:
    """Clients that have one session after the other until they are to stop."""

    def __init__(self, cluster: Cluster, songs: list[Song], program: str, count: int, seed: int):
        self.cluster, self.songs, self.program = cluster, songs, program
        self.sessions: list[Session] = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number, random.Random(seed + number))) for number in range(count)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def work(self, number: int, draw: random.Random) -> None:
        kinds = ["Python", "Rust", "steps"] if self.program else ["Python", "steps"]
        kind = kinds[number % len(kinds)]
        while not self.is_over.is_set():
            session = Session(kind, draw.choice(self.songs))
            self.sessions.append(session)
            self.one(session, draw)

    def one(self, session: Session, draw: random.Random) -> None:
        begin = time.monotonic()
        try:
            if session.kind == "Python":
                streamed(self.cluster, session)
            elif session.kind == "Rust":
                by_program(self.cluster, session, self.program)
            else:
                in_steps(self.cluster, session, draw)
        except Exception as error:
            session.findings.append(f"{session}: {type(error).__name__}: {error}")
        session.seconds = time.monotonic() - begin

    def end(self) -> None:
        """No new sessions; waits until those that were begun have ended."""
        self.is_over.set()
        for thread in self.threads:
            thread.join()
