"""The program that clients/conformance runs: a task as JSON in, what was received as JSON out; or a list of them."""
import hashlib
import json
import sys
import time
import warnings
from pathlib import Path

import grpc

import stemwire


def run(task: dict) -> dict:
    """Does the task; see clients/conformance/README.md."""
    reconnects: list[object] = []
    retry = stemwire.Retry(attempts=task["attempts"]) if "attempts" in task else stemwire.Retry()
    client = stemwire.Client(task["server"], token=task.get("token"), ca=task.get("authority"), retry=retry)
    options = {
        "encoding": task.get("encoding", "f32"), "stems": task.get("stems", []),
        "on_reconnect": lambda *args: reconnects.append(args),
    }
    if "time_limit_ms" in task:
        options["time_limit"] = task["time_limit_ms"] / 1000
    began, first_s = time.monotonic(), 0.0
    if "watch" in task:
        separation = client.watch(task["watch"], start_frame=task.get("start_frame", 0), **options)
    else:
        options.update({name: task[name] for name in ("model", "request_id") if name in task})
        if task.get("raw"):
            options["raw"] = stemwire.Raw("s16", 44_100, 2)
        song = task.get("song", sys.stdin.buffer)
        separation = client.separate(Path(song).read_bytes() if task.get("memory") else song, **options)
    stems: dict[str, list] = {}
    for number, chunk in enumerate(separation):
        received = stems.setdefault(chunk.stem, [0, hashlib.sha256()])
        assert task.get("start_frame", 0) + received[0] == chunk.start_frame, "a frame is repeated or missing"
        received[0] += chunk.frames
        if task.get("measure"):
            first_s = first_s or time.monotonic() - began
        else:
            received[1].update(chunk.pcm)
        if task.get("leave"):
            separation.close()
            break
        if task.get("cancel") and number == 0:
            separation.cancel()
        time.sleep(task.get("slow_ms", 0) / 1000)
    measured = {"first_s": first_s, "seconds": time.monotonic() - began} if task.get("measure") else {}
    session = separation.session
    return measured | {
        "session": separation.session_id,
        "rate": session.source.output_sample_rate if session and session.source else 0,
        "stems": {name: {"frames": frames, "sha256": hash.hexdigest()} for name, (frames, hash) in stems.items()},
        "reconnects": len(reconnects),
    }


def answer(task: dict) -> dict:
    """What `run` returns, or its error."""
    try:
        return run(task)
    except stemwire.StemwireError as error:
        code = getattr(grpc.StatusCode, error.code).value[0]
        return {"error": {"code": code, "reason": error.reason, "message": error.message, "remedy": error.remedy}}


def main() -> None:
    """Prints the answer to the task, or to each of a list."""
    warnings.simplefilter("ignore", stemwire.EngineChangeWarning)
    asked = json.loads(sys.argv[1])
    print(json.dumps([answer(task) for task in asked] if isinstance(asked, list) else answer(asked)))


if __name__ == "__main__":
    main()
