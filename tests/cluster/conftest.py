"""Fixtures of the tests with a real S3 server, which `make cluster` builds. Servers and the command line are those of the system
tests."""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from system.repository import generate_stubs  # noqa: E402

sys.path.insert(0, generate_stubs())

from system.buckets import S3Server  # noqa: E402
from system.conftest import binary, chosen_models, cli, start  # noqa: E402, F401  (fixtures)
from system.workers import gateway, nats, worker  # noqa: E402, F401  (fixtures)


@pytest.fixture
def s3(tmp_path):
    server = S3Server(tmp_path / "s3")
    yield server
    server.kill()
