"""The program that clients/conformance runs: a task as JSON in, what was received as JSON out."""
import hashlib
import json
import sys
import time
import warnings

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
    began, first_s = time.monotonic(), 0.0
    if "watch" in task:
        separation = client.watch(task["watch"], **options)
    else:
        options.update({name: task[name] for name in ("model", "request_id") if name in task})
        if task.get("raw"):
            options["raw"] = stemwire.Raw("s16", 44_100, 2)
        separation = client.separate(task.get("song", sys.stdin.buffer), **options)
    stems: dict[str, list] = {}
    for number, chunk in enumerate(separation):
        received = stems.setdefault(chunk.stem, [0, hashlib.sha256()])
        assert received[0] == chunk.start_frame, "a frame is repeated or missing"
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


def main() -> None:
    """Prints what `run` returns, or its error."""
    warnings.simplefilter("ignore", stemwire.EngineChangeWarning)
    try:
        answer = run(json.loads(sys.argv[1]))
    except stemwire.StemwireError as error:
        code = getattr(grpc.StatusCode, error.code).value[0]
        answer = {"error": {"code": code, "reason": error.reason, "message": error.message, "remedy": error.remedy}}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
