"""How fast each client receives a finished stem, how soon it has the first chunk, and how much memory it takes.

    make throughput

All clients read the same stem of the same server in turn, `--rounds` times; the table has medians, and each client's speed in
relation to the Rust one's in the same round. Memory is the largest resident set of the client's process: of a song of
`--minutes`, and of one of a tenth of that, which shows whether it grows with the song.
"""
import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from system.repository import generate_stubs  # noqa: E402

sys.path.insert(0, generate_stubs())

from system.audio import RATE, music, wav  # noqa: E402
from system.common import INSTANT_MODEL  # noqa: E402
from system.server import Server  # noqa: E402
from system.stemwire_client import separate  # noqa: E402

PROGRAM = "examples/conformance"


def measure(command: list, task: dict) -> tuple[dict, int]:
    """The answer of a client's program, and the largest resident set of its process in bytes."""
    process = subprocess.Popen([*map(str, command), json.dumps(task)], stdout=subprocess.PIPE)
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        # It only grows, so that the last value before the end is the largest.
        peak = max([peak, *(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.005)
    assert process.stdout is not None and process.returncode == 0
    answer = json.loads(process.stdout.read())
    assert "error" not in answer, answer
    return answer, peak


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stemwire", required=True, help="release binary")
    parser.add_argument("--rust", required=True, help="the Rust client's program, built with --release")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run(["go", "build", "-o", work / "go", f"./{PROGRAM}"], cwd=ROOT / "clients/go", check=True)
        typescript = ROOT / f"clients/typescript/build/{PROGRAM}.js"
        java = [f"{ROOT}/clients/java/target/{part}" for part in ("test-classes", "libraries/*")]
        commands = {
            "Rust": [options.rust], "Go": [work / "go"], "Python": [sys.executable, ROOT / f"clients/python/{PROGRAM}.py"],
            "TypeScript": ["node", typescript], "TypeScript, grpc-web": ["node", typescript, "web"],
        }
        if shutil.which("mvn"):
            commands["Java"] = ["java", "-cp", ":".join(java), "Conformance"]
        if (cpp := ROOT / "clients/cpp/build/conformance").exists():
            commands["C++"] = [cpp]
        server = Server(options.stemwire, work / "data", "--provider", "cpu", variables=INSTANT_MODEL)
        try:
            stem, sessions = "other", {}
            for minutes in (options.minutes / 10, options.minutes):
                result = separate(server.stub, wav(np.tile(music(6), (round(minutes * 10), 1))))
                sessions[minutes] = result.done.session_id
            rows: dict[str, list] = {name: [] for name in commands}
            for _ in range(options.rounds):
                for name, command in commands.items():
                    task = {"server": f"http://{server.address}", "stems": [stem], "measure": True}
                    short, small = measure(command, task | {"watch": sessions[options.minutes / 10]})
                    long, large = measure(command, task | {"watch": sessions[options.minutes]})
                    assert long["stems"][stem]["frames"] == round(options.minutes * 60) * RATE
                    rows[name].append((long["stems"][stem]["frames"] * 8 / long["seconds"], short["first_s"], small, large))
        finally:
            server.close()
    print("| client | MB/s | of the Rust client's | first chunk after | memory, short and long song |")
    print("|---|---|---|---|---|")
    for name, runs in rows.items():
        speed, first, small, large = (statistics.median(column) for column in zip(*runs, strict=True))
        ratio = statistics.median(run[0] / rust[0] for run, rust in zip(runs, rows["Rust"], strict=True))
        print(f"| {name} | {speed / 1e6:.0f} | {ratio:.2f} | {first * 1000:.1f} ms | {small / 2**20:.0f} and {large / 2**20:.0f} MiB |")


if __name__ == "__main__":
    main()
