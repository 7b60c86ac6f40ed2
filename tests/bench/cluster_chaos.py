#!/usr/bin/env python3
"""Disturbs all parts of a cluster while clients use it, and checks that no session is lost or changed.

    cluster_chaos.py --stemwire FILE [--events N] [--clients N] [--client FILE] [--bucket] [--seed N] [--work DIR]

Three NATS servers, an object store, gateways and workers are killed, stopped, cut off and wiped by a seed, while clients
separate songs and resume. At the end every session must be there at every gateway, DONE with the bytes of one machine, and
every client must have got these bytes, whatever errors came before. Ends with 1 where one is not. `--client` is the
Rust client's program of clients/conformance, by default the one beside the binary; `--bucket` keeps sessions in versitygw
(STEMWIRE_VERSITYGW) in place of a folder.
"""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "clients/python/src")]

import grpc

import repeating
from chaos_clients import songs as all_songs
from machines.clients import Crowd, Session, Song
from machines.events import Events
from machines.parts import VARIABLES
from machines.whole import CALL_S, Cluster
from system.server import Server
from system.stemwire_client import api, get_stem, reason, separate, session_pb2

# Of the comparison: sessions without a disturbance, each song so many times.
UNDISTURBED = 3
# For a session to end, or to be there, once nothing is disturbed any more.
PATIENCE_S = 120


def songs(binary: str, folder: Path) -> list[Song]:
    """Songs with their stems as one machine makes them."""
    server = Server(binary, folder / "alone", variables=VARIABLES)
    found = []
    for number, (name, content) in enumerate(all_songs().items()):
        path = folder / f"song-{number}"
        path.write_bytes(content)
        result = separate(server.stub, content)
        assert result.error is None, result.error
        seconds = result.done.progress.finished_frames / result.done.source.output_sample_rate
        found.append(Song(name, content, path, seconds, result.digests()))
    server.close()
    return found


def undisturbed(cluster: Cluster, crowd: Crowd) -> tuple[float, list[Session]]:
    """Seconds of processor of the workers for a second of music while nothing is disturbed, and the sessions."""
    before, draw = cluster.spent_s(), random.Random(0)
    kinds = ["Python", "Rust", "Python"] if crowd.program else ["Python"] * UNDISTURBED
    sessions = [Session(kind, song) for kind in kinds for song in crowd.songs]
    for session in sessions:
        crowd.one(session, draw)
    return (cluster.spent_s() - before) / sum(session.song.seconds for session in sessions), sessions


def repeated(call):
    """The answer of a call once the cluster has calmed down."""
    return repeating.repeated(call, PATIENCE_S, (*repeating.RETRIED, grpc.StatusCode.DEADLINE_EXCEEDED))


def check(cluster: Cluster, session: Session) -> str:
    """Compares a session, at each gateway, with what its client was answered. Returns what is wrong, or nothing."""
    if not session.id:
        return f"{session}: the client has no session" if session.ending == "DONE" else ""
    for number, stub in enumerate(cluster.stubs):
        request = api.GetSessionRequest(session_id=session.id)
        try:
            found = repeated(lambda: stub.GetSession(request, timeout=CALL_S)).session
        except grpc.RpcError as error:
            if session.ending == "DELETED" and error.code() == grpc.StatusCode.NOT_FOUND:
                continue
            return f"{session}: lost at gateway {number}: {reason(error)} {error.details()}"
        state = session_pb2.SessionState.Name(found.state).removeprefix("SESSION_STATE_")
        if state != "DONE" and not (state == "CANCELLED" and session.ending in ("CANCELLED", "DELETED")):
            return f"{session}: {state} at gateway {number}, {found.error.reason} {found.error.message} {found.delay.reason}"
        if state == "DONE" and found.engine_changes:
            return f"{session}: {found.engine_changes[0].reason} at gateway {number}"
    if session.ending != "DONE":
        return ""
    stub = cluster.stubs[sum(session.id.encode()) % len(cluster.stubs)]
    for name, digest in session.song.digests.items():
        pcm = repeated(lambda name=name: get_stem(stub, session.id, name))
        if hashlib.sha256(pcm).hexdigest() != digest:
            return f"{session}: {name} has other bytes"
    return ""


def listed(stub) -> list[str]:
    """The ids of all sessions, page by page."""
    ids: list[str] = []
    token = ""
    while token or not ids:
        page = repeated(lambda token=token: stub.ListSessions(api.ListSessionsRequest(page_size=200, page_token=token), timeout=CALL_S))
        ids += [session.session_id for session in page.sessions]
        token = page.next_page_token
        if not token:
            return ids
    return ids


def check_lists(cluster: Cluster, sessions: list[Session]) -> list[str]:
    """Whether all gateways list the sessions of the clients, each once."""
    deleted = {session.id for session in sessions if session.ending == "DELETED"}
    expected = {session.id for session in sessions if session.id} - deleted
    end = time.monotonic() + PATIENCE_S
    while True:
        lists = [listed(stub) for stub in cluster.stubs]
        findings = []
        for number, ids in enumerate(lists):
            findings += [f"gateway {number} lists {name} twice" for name, count in Counter(ids).items() if count > 1]
            findings += [f"gateway {number} does not list {name}" for name in expected - set(ids)]
            findings += [f"gateway {number} lists {name}, which no client has" for name in set(ids) - expected - deleted]
        if not findings or time.monotonic() > end:
            return findings
        print(f"{len(findings)} differences of lists: {findings[0]}", flush=True)
        time.sleep(10)


def recoveries(events: Events, sessions: list[Session]) -> tuple[list[float], list[float]]:
    """Seconds from an owner's death to the next new frame at a client that streams: all, and those whose owner stayed away."""
    arrivals = {session.id: session.arrivals for session in sessions if session.arrivals}
    every, away = [], []
    for death in events.record.deaths:
        for name, frames in death.frames.items():
            later = [at - death.at for at, frame in arrivals.get(name, []) if at > death.at and frame > frames]
            if later:
                every.append(min(later))
                if not death.comes_back:
                    away.append(min(later))
    return every, away


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stemwire", required=True, help="the binary")
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--every", type=float, default=3.0, help="mean seconds between two events")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--client", default="", help="the Rust client's program of clients/conformance")
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--bucket", action="store_true", help="versitygw as object store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for data and logs, kept; else a temporary one")
    options = parser.parse_args()
    built = Path(options.stemwire).parent / "examples" / "conformance"
    options.client = options.client or (str(built) if built.exists() else "")
    with contextlib.ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stemwire-chaos-")))
        work.mkdir(parents=True, exist_ok=True)
        found = songs(options.stemwire, work)
        cluster = Cluster(options.stemwire, work, options.gateways, options.workers, options.bucket)
        stack.callback(cluster.kill)
        crowd = Crowd(cluster, found, options.client, options.clients, options.seed)
        usual_s, others = undisturbed(cluster, crowd)
        copies = cluster.nats.copies()
        events = Events(cluster, options.seed, options.every)
        before_s, began = cluster.spent_s(), time.monotonic()
        crowd.start()
        events.run(options.events)
        cluster.calm()
        crowd.end()
        took_s, spent_s = time.monotonic() - began, cluster.spent_s() - before_s
        print(f"{took_s:7.1f} s all sessions have ended", flush=True)
        every = others + crowd.sessions
        findings = events.record.findings + [finding for session in every for finding in session.findings]
        findings += [finding for session in every if (finding := check(cluster, session))]
        findings += check_lists(cluster, every)
        findings += cluster.close()
        if options.work:
            cluster.save_logs(options.work)
    music_s = sum(session.song.seconds for session in crowd.sessions if session.ending == "DONE")
    report(options, events, crowd, took_s)
    print(f"copies of what NATS has: {copies}")
    print(f"workers' processor seconds for a second of music: {spent_s / music_s:.3f}, undisturbed {usual_s:.3f}: "
          f"{spent_s / music_s / usual_s:.2f} x")
    for what, times in zip(["all", "owner away for longer than a lease, or without its disk"], recoveries(events, crowd.sessions)):
        if times:
            print(f"from an owner's death to the next frame, {what}: median {statistics.median(times):.1f} s, "
                  f"longest {max(times):.1f} s, of {len(times)}")
    print(f"findings: {len(findings)}")
    for finding in findings:
        print(f"  {finding}")
    return 1 if findings else 0


def report(options: argparse.Namespace, events: Events, crowd: Crowd, took_s: float) -> None:
    counts = events.record.counts
    print(f"{sum(counts.values())} events, {len(crowd.sessions)} sessions, seed {options.seed}, {took_s:.0f} s")
    for what, count in sorted(counts.items()):
        print(f"  {what}: {count}")
    outcomes = Counter(f"{session.kind} client: {session.ending or 'not ended'}" for session in crowd.sessions)
    for outcome, count in sorted(outcomes.items()):
        print(f"  {outcome}: {count}")
    errors: Counter[str] = sum((session.errors for session in crowd.sessions), Counter())
    print("errors with which calls of clients ended before:")
    for error, count in errors.most_common():
        print(f"  {error}: {count}")
    seconds = [session.seconds for session in crowd.sessions]
    print(f"a session: median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s")


if __name__ == "__main__":
    sys.exit(main())
