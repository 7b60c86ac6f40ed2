"""The repository under test: its folder, and Python code generated from its proto."""
import tempfile
from pathlib import Path

import grpc_tools.protoc

ROOT = Path(__file__).resolve().parents[2]


def generate_stubs() -> str:
    """Compiles the proto with protoc, as a client in any language would."""
    folder = tempfile.mkdtemp(prefix="stemwire-stubs-")
    include = Path(grpc_tools.__file__).parent / "_proto"
    protos = sorted(str(path) for path in (ROOT / "proto").rglob("*.proto"))
    arguments = ["protoc", f"-I{ROOT / 'proto'}", f"-I{include}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert grpc_tools.protoc.main([*arguments, *protos]) == 0
    return folder
