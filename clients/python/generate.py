"""Writes src/stemwire/v1, the package's stubs, from ../../proto: run it when the proto has changed.

The compiler has one fixed version, fetched with pip, so that everybody gets the same files, and so that these run
with as old a protobuf as they may: generated code asks for a runtime that is at least as new as itself.
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
INIT = '"""The stubs that the proto gives, and the place to read what each field means."""\n'


def generate(folder: Path) -> dict[str, str]:
    """Compiles the proto; answers the files of the stubs by name. `folder` takes what that needs."""
    tools, out = folder / "tools", folder / "out"
    out.mkdir(parents=True)
    # Without its dependencies: the compiler needs nothing but itself.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--root-user-action=ignore", "--target", tools, COMPILER], check=True)
    include = tools / "grpc_tools" / "_proto"
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    protos = sorted(str(path) for path in PROTO.rglob("*.proto"))
    compile = "import sys; from grpc_tools import protoc; sys.exit(protoc.main(['protoc', *sys.argv[1:]]))"
    command = [sys.executable, "-W", "ignore", "-c", compile, f"-I{PROTO}", f"-I{include}", *outputs, *protos]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tools)})
    files = {path.name: path.read_text("utf-8") for path in (out / "stemwire" / "v1").iterdir()}
    # A file without services has no stubs of them.
    files = {name: text for name, text in files.items() if "_grpc" not in name or "Stub" in text}
    return {"__init__.py": INIT} | files


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        files = generate(Path(folder))
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    for name, text in files.items():
        (TARGET / name).write_text(text, "utf-8", newline="\n")
