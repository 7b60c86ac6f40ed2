"""Published models that are downloaded.

The published files are not available here, so a server has other bytes under their names. The refusal with the hash of
exactly those bytes shows that the download is complete; `tests/it/published.rs` tests successful downloads.
"""
import hashlib
import os
import random
import re
import subprocess
import sys

import pytest

from ..audio import music, wav
from .model_files import HASH, names, reported
from .publisher import PUBLISHED

ONLINE = {"STEMWIRE_OFFLINE": None}


def test_a_download_cut_at_random_is_resumed_and_held_against_the_published_hash(cli, publish, tmp_path):
    content = random.Random(3).randbytes(300_000)
    cuts = sorted(random.sample(range(1, 100_000), 3))
    server = publish({PUBLISHED["htdemucs"]: content}, cuts)
    output = cli("models", "pull", "htdemucs", "--mirror", server.address, "--models-dir", "models", code=4, **ONLINE)
    assert "not stated clearly" in output.err, "the licence is shown"
    cause, remedy = reported(output.err)
    assert HASH in cause and hashlib.sha256(content).hexdigest() in cause and "again" in remedy
    starts = [0, cuts[0], cuts[0] + cuts[1], sum(cuts)]
    assert server.ranges == [f"bytes={start}-" if start else None for start in starts]
    assert names(tmp_path / "models") == [], "what is not the published file is not kept"
    assert b"not installed" in cli("models", "list", "--models-dir", "models").out


def test_the_next_run_continues_after_a_killed_process(cli, publish, tmp_path):
    content = random.Random(4).randbytes(200_000)
    part = tmp_path / "models" / "htdemucs" / "955717e8.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content[:123_456])
    listed = cli("models", "list", "--models-dir", "models").out.decode()
    assert re.search(r"^htdemucs +not installed, 120\.\d+ KiB of 80\.\d+ MiB downloaded", listed, re.MULTILINE), listed
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    output = cli("separate", "song.wav", "--model", "htdemucs", "--models-dir", "models", code=4)
    assert "not installed" in reported(output.err)[0] and "stemwire models pull htdemucs" in reported(output.err)[1]
    server = publish({PUBLISHED["htdemucs"]: content})
    output = cli("models", "pull", "htdemucs", "--models-dir", "models", code=4,
               **ONLINE, STEMWIRE_MODELS_MIRROR=server.address)
    assert hashlib.sha256(content).hexdigest() in output.err
    # The beginning may be of another file, so the download was repeated from the start.
    assert server.ranges == ["bytes=123456-", None]


@pytest.mark.parametrize("arguments, code, cause, remedy", [
    (["--mirror", "http://127.0.0.1:1"], 5, "127.0.0.1:1/adefossez/.*refused", "HTTPS_PROXY.*--mirror.*import"),
    (["--mirror", "http://no.such.host.invalid"], 5, "no.such.host.invalid", "import"),
    (["--offline"], 2, "--offline forbids", "models import"),
])
def test_a_missing_network_is_reported_with_a_remedy(cli, tmp_path, arguments, code, cause, remedy):
    output = cli("models", "pull", "htdemucs", *arguments, "--models-dir", "models", code=code, **ONLINE)
    assert re.search(cause, reported(output.err)[0]) and re.search(remedy, reported(output.err)[1]), output.err
    assert names(tmp_path / "models") in ([], ["htdemucs/955717e8.safetensors.part"])


def test_a_missing_file_is_asked_for_once(cli, publish, tmp_path):
    server = publish({})
    output = cli("models", "pull", "htdemucs_6s", "--mirror", server.address, "--models-dir", "models", code=5, **ONLINE)
    cause, remedy = reported(output.err)
    assert "404" in cause and PUBLISHED["htdemucs_6s"] in cause and "--mirror" in remedy
    assert server.asked == [PUBLISHED["htdemucs_6s"]]
    assert "htdemucs_ft" in reported(cli("models", "pull", "nosuch", code=2, **ONLINE).err)[0]


def test_a_proxy_is_used_but_for_the_hosts_that_need_none(cli, publish, tmp_path):
    server = publish({})
    variables = ONLINE | {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": None, "ALL_PROXY": None, "https_proxy": None,
                          "http_proxy": None, "all_proxy": None, "no_proxy": None, "NO_PROXY": None}
    command = ["models", "pull", "htdemucs", "--mirror", server.address, "--models-dir", "models"]
    # The number of a port may have these digits, too.
    not_found = re.compile(r"\b404\b")
    assert not not_found.search(cli(*command, code=5, **variables).err) and server.asked == []
    assert not_found.search(cli(*command, code=5, **variables | {"NO_PROXY": "127.0.0.1"}).err) and len(server.asked) == 1


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a small disk is mounted by root")
def test_a_full_disk_is_reported_and_committed_frames_are_kept(cli, publish, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not mount")
    try:
        server = publish({PUBLISHED["htdemucs"]: bytes(1_000_000)})
        output = cli("models", "pull", "htdemucs", "--mirror", server.address, "--models-dir", disk, code=6, **ONLINE)
        cause, remedy = reported(output.err)
        assert "No space left" in cause and "Free space" in remedy and "--models-dir" in remedy
        assert names(disk) == ["htdemucs/955717e8.safetensors.part"]
        assert b"not installed" in cli("models", "list", "--models-dir", disk).out
    finally:
        subprocess.run(["umount", disk], check=True)
