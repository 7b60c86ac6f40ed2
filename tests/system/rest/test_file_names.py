"""A session has the name of its file, however a client writes it into a form."""
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL
from ..http_client import environment, get, separate

MODELS = INSTANT_MODEL

NAMES = ["plain.wav", '7" single.wav', '"".wav', "AC\\DC.wav", "a;b=c, d.wav", "100%25.wav", "周杰伦 - 晴天.wav", "' or ''.wav"]

# Forms of the WHATWG, as browsers send them.
NODE = """
const [url, ...paths] = process.argv.slice(1);
const { readFileSync } = require("fs"), { basename } = require("path");
(async () => {
  for (const path of paths) {
    const form = new FormData();
    form.append("file", new File([readFileSync(path)], basename(path)));
    await (await fetch(url, { method: "POST", body: form })).text();
  }
})();
"""


def run(*command) -> None:
    subprocess.run(list(map(str, command)), capture_output=True, check=True, env=environment())


def by_curl(url: str, paths: list[Path], *options: str) -> None:
    for path in paths:
        quoted = str(path).replace("\\", "\\\\").replace('"', '\\"')
        run("curl", "-sS", *options, "-F", f'file=@"{quoted}"', url)


CLIENTS = {
    "curl": by_curl,
    "curl --form-escape": lambda url, paths: by_curl(url, paths, "--form-escape"),
    "fetch": lambda url, paths: run("node", "-e", NODE, url, *paths),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_name_arrives_as_it_was_sent(server, tmp_path, client):
    paths = [tmp_path / name for name in NAMES]
    for path in paths:
        path.write_bytes(wav(music(0.1)))
    CLIENTS[client](f"http://{server.address}/api/separate", paths)
    sessions = get(server, f"/api/sessions?page_size={len(NAMES)}").json()["sessions"]
    assert [session["file_name"] for session in sessions] == NAMES[::-1]
    for session in sessions:
        title = session["file_name"].rsplit("\\", 1)[-1].removesuffix(".wav").replace('"', "_")
        header = get(server, session["zip_url"]).headers["content-disposition"]
        assert unquote(header.split("filename*=UTF-8''")[1]) == f"{title}.zip"


def test_names_of_uploads_cannot_do_harm(server):
    brief = wav(music(0.1))
    for name, title in (
        ('a%22b.mp3', 'a_b'),
        ('a\\"b.mp3', 'a_b'),
        ("../../etc/passwd.wav", "passwd"),
        ("C:\\\\Music\\\\x.wav", "x"),
        ("周杰伦 - 晴天.mp3", "周杰伦 - 晴天"),
        ("a\u202etxt.exe", "atxt"),
        ("nul.mp3", "_nul"),
    ):
        reported = separate(server, brief, name).json()
        header = get(server, reported["vocals_url"]).headers["content-disposition"]
        assert header.isascii() and not set("\r\n") & set(header)
        plain, encoded = re.fullmatch(r"attachment; filename=\"([^\"\\]*)\"; filename\*=UTF-8''(\S+)", header).groups()
        assert unquote(encoded, errors="strict") == f"{title} - vocals.wav"
        assert "/" not in plain and ".." not in plain
