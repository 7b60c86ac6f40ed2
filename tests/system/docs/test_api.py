"""The examples of docs/API.md and the calls in README.md run as documented, in their order."""
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import soundfile

from ..repository import ROOT
from ..stemwire_client import Config, api, separate
from .examples import examples, matches, section

API = (ROOT / "docs" / "API.md").read_text()
README = (ROOT / "README.md").read_text()

# The id of a session in the documents.
SESSION = "9f1..."

# The examples of README.md that do not run here, by their first words, and why.
ELSEWHERE = {
    "$ stemwire separate": "a listing; `stemwire separate` is tested in tests/system/cli",
    "make demo": "builds a release binary and downloads ONNX Runtime",
    "cargo run": "the same for Windows",
    "cargo install": "installs into the user's home; the commands after it are tested in tests/system/cli",
    "stemwire serve": "does not end; the calls in the other examples go to such a server",
    "import sys, grpc": "runs in test_readme.py",
}


class Runner:
    """Runs shell commands, with the id of the first session in place of the documented one."""

    def __init__(self, shell):
        self.shell = shell
        self.session = None
        self.output = ""

    def named(self, text: str) -> str:
        assert self.session or SESSION not in text, text
        return text.replace(SESSION, self.session or "")

    def run(self, commands: list[str]) -> None:
        for command in commands:
            self.output = self.shell(self.named(command))
            # curl exits with 0 whatever the response is; only the last command of an example may show an error.
            assert command is commands[-1] or not self.output.startswith('{"code"'), (command, self.output)
            found = re.search(r'"session_id": *"([^"]+)"', self.output)
            self.session = self.session or (found and found[1])


def test_the_examples_of_the_api_run_in_their_order(server, shell, tmp_path):
    runner = Runner(shell)
    stubs = Path(api.__file__).parents[2]
    found = examples(API)
    for example, after in zip(found, [*found[1:], None], strict=True):
        match example.language:
            # PowerShell reads these commands as bash does: they have no variables and no escapes.
            case "sh" | "powershell":
                runner.run(example.commands)
                documents_an_error = after and after.language == "json" and '"reason"' in after.text
                assert runner.output.startswith('{"code"') == bool(documents_an_error), (example, runner.output)
            case "json":
                documented, output = json.loads(runner.named(example.text)), json.loads(runner.output)
                assert matches(documented, output), output
            case "python":
                program = example.text.replace("127.0.0.1:8000", server.address)
                command = [sys.executable, "-c", program]
                subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(stubs)}, timeout=120, check=True)
            case "js":
                program = example.text.replace("127.0.0.1:8000", server.address)
                modules = Path(os.environ.get("STEMWIRE_TUS", "node_modules/tus-js-client")).resolve().parent
                environment = os.environ | {"NODE_PATH": str(modules)}
                ended = subprocess.run(
                    ["node", "-e", program], cwd=tmp_path, env=environment, timeout=120, check=True, capture_output=True, text=True)
                assert f"http://{server.address}/api/uploads/" in ended.stdout, ended.stderr
            case other:
                raise AssertionError(f"no runner for the language {other!r}: {example.text}")
    assert {example.language for example in found} == {"sh", "json", "python", "powershell", "js"}

    song = (tmp_path / "song.mp3").read_bytes()
    expected = separate(server.stub, song, Config(stems=["vocals"])).stems["vocals"]
    assert (tmp_path / "vocals.f32").read_bytes() == expected
    audio = np.frombuffer(expected, "<f4").reshape(-1, 2)
    for name in ("vocals", "vocals.wav", "vocals.flac"):
        read, rate = soundfile.read(tmp_path / name, dtype="float32")
        assert rate == 44_100 and np.abs(read - np.clip(audio, -1, 1)).max() < 2**-14, name
    with zipfile.ZipFile(tmp_path / "stems.zip") as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 5


def test_the_calls_in_the_readme_run(shell, tmp_path):
    runner = Runner(shell)
    left = [example for example in examples(README) if not example.text.startswith(tuple(ELSEWHERE))]
    for example in left:
        assert example.language == "sh", example
        runner.run(example.commands)
    assert "stemwire.v1.SeparationService" in runner.output
    assert soundfile.info(tmp_path / "accompaniment").frames == 7 * 44_100
    beginnings = [start for start in ELSEWHERE if not any(example.text.startswith(start) for example in examples(README))]
    assert beginnings == []


def test_every_section_of_the_recipes_is_one_that_runs():
    recipes = (ROOT / "clients" / "README.md").read_text()
    # Rust's is run by tests/system/rust, the packages of the others by `make conformance`.
    programs = {
        "Rust": "rust/examples/save_stems.rs", "Go": "go/examples/save_stems/main.go", "TypeScript": "typescript/examples/save_stems.ts",
        "Java": "java/examples/SaveStems.java", r"C\+\+": "cpp/examples/save_stems.cpp",
    }
    for title, program in programs.items():
        assert re.search("save_?stems", section(recipes, title), re.IGNORECASE) and (ROOT / "clients" / program).is_file()
    run = "\n".join(section(recipes, title) for title in ("Python", *programs, "buf curl", "grpcurl", "curl"))
    assert examples(recipes) == examples(run)
