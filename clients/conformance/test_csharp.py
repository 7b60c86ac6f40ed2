"""The C# messages are generated, and they and the example are C#. Nothing is compiled against gRPC's libraries: they are only on NuGet."""
import shutil
import subprocess

import pytest

from system.repository import ROOT

PROTO, EXAMPLE = ROOT / "proto", ROOT / "clients/csharp/SaveStem.cs"


@pytest.mark.skipif(not (shutil.which("protoc") and shutil.which("mcs")), reason="protoc or Mono's compiler is not installed")
def test_messages_are_generated_and_parsed(tmp_path):
    files = [path.relative_to(PROTO) for path in PROTO.rglob("*.proto")]
    subprocess.run(["protoc", f"-I{PROTO}", f"--csharp_out={tmp_path}", *files], check=True)
    sources = sorted(tmp_path.rglob("*.cs"))
    assert len(sources) == len(files)
    text = "".join(path.read_text() for path in sources)
    assert "namespace Stemwire.V1 {" in text
    for name in ("SeparateRequest", "SeparateResponse", "SeparationConfig", "Finish"):
        assert f"public sealed partial class {name} :" in text
    parsed = subprocess.run(["mcs", "--parse", *sources, EXAMPLE], capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr
