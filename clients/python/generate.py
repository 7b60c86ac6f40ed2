"""Writes src/stemwire/v1, the generated messages and stubs, from ../../proto: run it after a change of the proto.

The version of the compiler is pinned and fetched with pip: the output is reproducible, and it runs with protobuf
releases as old as the pinned one, because generated code needs a runtime at least as new as its compiler.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

COMPILER = "grpcio-tools==1.76.0"
HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
TARGET = HERE / "src" / "stemwire" / "v1"
INIT = '"""The messages and stubs generated from the proto, which documents every field."""\n'


def generate(folder: Path) -> dict[str, str]:
    """Compiles the proto and returns the generated files by name; `folder` holds the compiler and its output."""
    tools, out = folder / "tools", folder / "out"
    out.mkdir(parents=True)
    # The compiler runs without its dependencies.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--root-user-action=ignore", "--target", tools, COMPILER], check=True)
    include = tools / "grpc_tools" / "_proto"
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    protos = sorted(str(path) for path in PROTO.rglob("*.proto"))
    compile = "import sys; from grpc_tools import protoc; sys.exit(protoc.main(['protoc', *sys.argv[1:]]))"
    command = [sys.executable, "-W", "ignore", "-c", compile, f"-I{PROTO}", f"-I{include}", *outputs, *protos]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tools)})
    files = {path.name: path.read_text("utf-8") for path in (out / "stemwire" / "v1").iterdir()}
    # The plugin writes an empty stub file for a proto without services.
    files = {name: text for name, text in files.items() if "_grpc" not in name or "Stub" in text}
    return {"__init__.py": INIT} | files


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        files = generate(Path(folder))
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    for name, text in files.items():
        (TARGET / name).write_text(text, "utf-8", newline="\n")
