"""The clients, and the table of what each has passed."""
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

# One provider, a model that is quick, and no FFmpeg, whatever is on this machine.
os.environ.update({
    "STEMWIRE_PROVIDER": "cpu", "STEMWIRE_FFMPEG": "never", "STEMWIRE_ENGINES": "mini-spleeter,mini",
    "STEMWIRE_MODEL": "mini-spleeter",
})

from system.repository import generate_stubs  # noqa: E402

sys.path.insert(0, generate_stubs())

PROGRAM = "examples/conformance"
CPP = ROOT / "clients/cpp/build/conformance"
CLIENTS = ["Python", "Rust", "Go", "TypeScript", "TypeScript, grpc-web"]
CLIENTS += (["Java"] if shutil.which("mvn") else []) + (["C++"] if CPP.exists() else [])
RESULTS: dict = defaultdict(dict)


@pytest.fixture(scope="session")
def binary() -> str:
    return os.environ["STEMWIRE_BIN"]


@pytest.fixture(scope="session")
def commands(binary, tmp_path_factory) -> dict:
    """The command of each client's program."""
    go = tmp_path_factory.mktemp("go") / "conformance"
    subprocess.run(["go", "build", "-o", go, f"./{PROGRAM}"], cwd=ROOT / "clients/go", check=True)
    java = [f"{ROOT}/clients/java/target/{part}" for part in ("test-classes", "libraries/*")]
    typescript = ROOT / f"clients/typescript/build/{PROGRAM}.js"
    return {
        "Python": [sys.executable, ROOT / f"clients/python/{PROGRAM}.py"],
        "Rust": [Path(binary).parent / PROGRAM],
        "Go": [go],
        "TypeScript": ["node", typescript],
        "TypeScript, grpc-web": ["node", typescript, "web"],
        # No task runs long enough to be worth compiling well.
        "Java": ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", ":".join(java), "Conformance"],
        "C++": [CPP],
    }


def pytest_generate_tests(metafunc):
    if "client" in metafunc.fixturenames:
        metafunc.parametrize("client", CLIENTS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if "client" in params:
        # A report goes from the process that ran the test to the one that writes the table.
        report.user_properties.append(("cell", [params["scenario"]["name"], params["client"]]))
    return report


def pytest_runtest_logreport(report) -> None:
    for name, value in report.user_properties:
        if name == "cell" and not report.skipped and (report.when == "call" or report.failed):
            scenario, client = value
            RESULTS[scenario][client] = report.passed and RESULTS[scenario].get(client, True)


def pytest_terminal_summary(terminalreporter) -> None:
    clients = sorted({client for row in RESULTS.values() for client in row})
    terminalreporter.write_line("| scenario | " + " | ".join(clients) + " |")
    terminalreporter.write_line("|---" * (1 + len(clients)) + "|")
    for name, row in RESULTS.items():
        cells = ({True: "yes", False: "**no**", None: "–"}[row.get(client)] for client in clients)
        terminalreporter.write_line(f"| {name} | " + " | ".join(cells) + " |")
