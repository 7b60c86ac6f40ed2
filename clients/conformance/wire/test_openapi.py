"""/openapi.json says what the server does, by schemathesis: requests made of the document, also wrong ones."""
from pathlib import Path

import pytest

from system.audio import music, wav
from system.stemwire_client import separate

HERE = Path(__file__).parent


@pytest.mark.parametrize("options", [[], ["--include-tag", "stems"]], ids=["all routes", "of a session that is done"])
def test_the_document_says_what_the_server_does(server, tool, tmp_path, options):
    config = (HERE / "schemathesis.toml").read_text()
    if options:
        session_id = separate(server.stub, wav(music(1))).done.session_id
        config = f'parameters = {{ "path.id" = "{session_id}" }}\n{config}'
    (tmp_path / "schemathesis.toml").write_text(config)
    ended = tool(
        "schemathesis", "--config-file", tmp_path / "schemathesis.toml", "run", f"http://{server.address}/openapi.json",
        "--phases", "examples,coverage,fuzzing", *options, cwd=HERE, timeout=600)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
