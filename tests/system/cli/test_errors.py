"""The command line: an error is a line of cause, a line of remedy and an exit code."""
import re
import socket
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, check_refused, stems
from ..repository import ROOT
from ..stemwire_client import api, reason, separate
from .folders import STEMS, names

MODELS = QUICK_MODEL

GOLDEN = ROOT / "tests" / "golden"


@pytest.mark.parametrize("arguments, code, cause, remedy", [
    (["nosuch.wav"], 3, "nosuch.wav: No such file", "audio file"),
    (["empty"], 3, "empty has no audio files", "folder of audio files"),
    (["*.mp3"], 3, r"no file matches \*.mp3", "audio file"),
    (["text.txt"], 3, "text.txt: .*text", "WAV.*FLAC.*MP3"),
    (["short.wav", "--model", "nosuch"], 2, '"nosuch".*mini', "models list"),
    (["short.wav", "--stems", "kazoo"], 2, "kazoo.*drums, bass, other, vocals", "another model"),
    (["short.wav", "--server", "http://127.0.0.1:1"], 5, "127.0.0.1:1: Connection refused", "stemwire serve"),
    (["short.wav", "--server", ":::"], 2, '":::"', "http://HOST:PORT"),
    (["short.wav", "--output", "text.txt"], 6, "cannot write text.txt", "folder"),
])
def test_an_error_has_its_code_a_line_of_cause_and_a_line_of_remedy(cli, short, tmp_path, arguments, code, cause, remedy):
    (tmp_path / "text.txt").write_text("Dear computer,\nplease sing.\n" * 50)
    (tmp_path / "empty").mkdir()
    check_refused(cli("separate", *arguments, code=code).err, cause, remedy)
    assert names(tmp_path / "stems") == []


@pytest.mark.parametrize("arguments, reported", [
    (["--overlap", "-1"], "the overlap -1.0 is out of range"),
    (["--threads", "-1"], "'-1' for '--threads <N>'"),
    (["--stdout", "vocals", "--output", "out"], "'--stdout <STEM>' cannot be used with"),
    (["--stdout", "vocals", "--force"], "cannot be used with"),
    (["--server", "http://127.0.0.1:1", "--threads", "2"], "'--threads <N>' cannot be used with '--server <URL>'"),
    (["--server", "http://127.0.0.1:1", "--models-dir", "."], "'--models-dir <DIR>' cannot be used with '--server <URL>'"),
])
def test_an_invalid_option_is_named(cli, short, arguments, reported):
    output = cli("separate", short, *arguments, code=2)
    assert reported in output.err and output.out == b"", output.err


def test_with_a_server_options_of_engines_are_refused_and_their_variables_ignored(cli, server, short):
    variables = {"STEMWIRE_SERVER": f"http://{server.address}", "STEMWIRE_THREADS": "1"}
    assert "'--workers <N>' cannot be used with STEMWIRE_SERVER" in cli("separate", short, "--workers", "1", code=2, **variables).err
    cli("separate", short, "--offline", **variables)


@pytest.mark.parametrize("folder", ["nosuch", "short.wav"])
def test_an_unreadable_models_folder_is_reported(cli, short, folder):
    output = cli("separate", short, "--models-dir", folder)
    assert re.search(f"^warning: .*{folder}: ", output.err, re.MULTILINE), output.err
    assert "warning" not in cli("separate", short, "--force").err


@pytest.mark.parametrize("arguments, cause, remedy", [
    (["--overlap", "2"], "the overlap 2.0 is out of range", "Correct the field"),
    (["--stems", "kazoo"], "kazoo.*drums, bass, other, vocals", "Ask for stems that the model yields"),
    (["--model", "nosuch"], '"nosuch".*mini', "Name one of the listed models"),
])
def test_a_servers_refusal_has_the_servers_remedy(cli, server, short, arguments, cause, remedy):
    check_refused(cli("separate", short, *arguments, "--server", f"http://{server.address}", code=2).err, cause, remedy)


@pytest.mark.parametrize("arguments, code", [
    (["text.txt"], 3), (["short.wav", "--model", "nosuch"], 2), (["short.wav", "--stems", "kazoo"], 2),
])
def test_a_servers_refusals_end_with_the_same_codes(cli, server, short, tmp_path, arguments, code):
    (tmp_path / "text.txt").write_text("Dear computer,\nplease sing.\n" * 50)
    output = cli("separate", *arguments, "--server", f"http://{server.address}", code=code)
    assert arguments[-1] in output.err and len(output.err.splitlines()) <= 2
    assert names(tmp_path / "stems") == []


def test_one_song_that_fails_does_not_keep_the_others(cli, short, tmp_path):
    (tmp_path / "text.txt").write_text("no music" * 50)
    output = cli("separate", "text.txt", "nosuch.wav", short, "-o", "out", code=3)
    assert "2 of 3 songs were not separated: nosuch.wav, text.txt\n" in output.err
    assert "error: cannot read nosuch.wav: No such file" in output.err
    assert names(tmp_path / "out") == ["short"] and stems(tmp_path / "out" / "short").keys() == STEMS


@pytest.mark.parametrize("flags, offline", [(["--offline"], None), ([], "1")])
def test_a_missing_runtime_is_reported_with_every_searched_path(cli, binary, short, tmp_path, flags, offline):
    output = cli("separate", short, *flags, code=4, STEMWIRE_OFFLINE=offline, STEMWIRE_RUNTIME=None,
               HOME=tmp_path, XDG_CACHE_HOME=tmp_path / "cache")
    assert str(Path(binary).parent) in output.err and str(tmp_path / "cache" / "stemwire") in output.err
    assert re.fullmatch("remedy: .*stemwire runtime install.*", output.err.splitlines()[-1])
    assert names(tmp_path) == ["short.wav"], "nothing is installed"


@pytest.mark.parametrize("arguments, code, expected, variables", [
    (["separate", "short.wav"], 2, "nosuch", {"STEMWIRE_MODEL": "nosuch"}),
    (["separate", "short.wav"], 2, '":::"', {"STEMWIRE_SERVER": ":::"}),
    (["separate", "short.wav"], 4, "/no/library.so", {"STEMWIRE_RUNTIME": "/no/library.so"}),
    (["separate", "short.wav"], 2, "STEMWIRE_THREADS|--threads", {"STEMWIRE_THREADS": "0"}),
    (["separate", "short.wav"], 2, "3 workers cannot share 2 compute threads\nremedy: Lower --workers",
     {"STEMWIRE_THREADS": "2", "STEMWIRE_WORKERS": "3"}),
    (["separate", "short.wav", "--server", "https://127.0.0.1:1"], 2, "/no/ca.pem", {"STEMWIRE_TLS_CA": "/no/ca.pem"}),
    (["models", "list"], 0, "tiny", {"STEMWIRE_MODELS_DIR": GOLDEN}),
    (["serve"], 2, "192.0.2.1", {"STEMWIRE_LISTEN": "192.0.2.1:0"}),
    (["serve"], 5, "192.0.2.1", {"STEMWIRE_LISTEN": "192.0.2.1:0", "STEMWIRE_INSECURE": "1", "STEMWIRE_DATA_DIR": "d"}),
])
def test_variables_of_the_environment_are_read(cli, short, arguments, code, expected, variables):
    output = cli(*arguments, code=code, **variables)
    assert re.search(expected, output.err + output.out.decode())


def test_the_servers_variables_are_read_too(start, monkeypatch):
    for name, value in {"MAX_OPEN": "3", "MAX_QUEUED": "5", "MAX_UPLOAD": "1kB", "MAX_TRACK": "1s"}.items():
        monkeypatch.setenv(f"STEMWIRE_{name}", value)
    server = start("--max-upload", "1MB")  # what is typed goes before
    health = server.stub.Health(api.HealthRequest())
    assert (health.max_open_sessions, health.max_queued_sessions) == (3, 5)
    assert reason(separate(server.stub, wav(music(2))).error)[1] == "TRACK_TOO_LONG"


def test_the_token_is_sent(cli, start, short, tmp_path):
    server = start("--token", "a-very-secret-token")
    command = ["separate", short, "-o", "out", "--stems", "bass", "--server", f"http://{server.address}"]
    assert "token" in cli(*command, code=5).err
    cli(*command, STEMWIRE_TOKEN="a-very-secret-token")
    assert stems(tmp_path / "out" / "short").keys() == {"bass"}


def test_the_doctor_names_what_is_in_place(cli, tmp_path):
    output = cli("doctor", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data").out.decode()
    assert "BAD" not in output
    for expected in (r"onnxruntime 1\.\S+ at /", "model mini works", "decoder", f"free at {tmp_path}", "127.0.0.1:0 is free"):
        assert re.search(expected, output), output


def test_the_doctor_reports_each_fault_with_a_remedy(cli, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        output = cli("doctor", "--listen", address, "--data-dir", "data", code=1).out.decode()
        assert re.search(rf"BAD   {address} is not free.*\n +remedy: .*--listen", output), output
    (tmp_path / "file").touch()
    output = cli("doctor", "--listen", "127.0.0.1:0", "--data-dir", "file", "--runtime", "nosuch.so", code=1).out.decode()
    assert re.search(r"BAD   ONNX Runtime was not found[^B]*nosuch\.so[^B]*remedy: ", output), output
    assert re.search(r"BAD   file cannot be written.*\n +remedy: .*--data-dir", output), output


LIMITS = {
    "--max-upload", "--max-track", "--max-expansion", "--max-open", "--max-queued", "--max-client-sessions", "--max-parked",
    "--max-backlog", "--idle-upload", "--min-upload-rate", "--resume-window", "--keep", "--max-stored", "--min-free", "--drain",
    "--decoder-memory", "--decoder-time", "--decoder-stall", "--max-encoders",
    "--max-ensemble",
}


def test_help_names_every_limit_with_its_variable_and_default(cli):
    text = cli("serve", "--help", COLUMNS="1000").out.decode()
    limits = text.split("Limits:")[1].split("\n\n")[0]
    entries = re.findall(r"^ +(--[a-z-]+) [^\n]*(?:\n +[^- \n][^\n]*)*", limits, re.MULTILINE)
    # The cache has no limit by default.
    assert set(entries) == LIMITS | {"--max-cache"}, "under this heading stand limits and nothing else"
    joined = " ".join(limits.split())
    for flag in LIMITS:
        variable = flag[2:].replace("-", "_").upper()
        assert re.search(rf"{flag} <\w+> [^<]*\[env: STEMWIRE_{variable}=\] \[default: ", joined), flag


@pytest.mark.parametrize("command, expected", [
    ([], ["serve", "separate", "models", "runtime", "doctor"]),
    (["separate"], ["--stems", "--two-stems", "--server", "--format", "--rate", "--fit", "--raw", "--stdout", "--force"]),
    (["serve"], ["--listen", "--data-dir", "--engines", "--token", "--insecure", "--allow-origin", "--tls-cert"]),
    (["models"], ["list", "recommend", "pull", "import", "verify", "remove"]),
    (["models", "list"], ["--models-dir"]),
    (["models", "recommend"], ["--stems", "--commercial", "--models-dir"]),
    (["models", "pull"], ["--mirror", "STEMWIRE_MODELS_MIRROR", "--offline", "--models-dir"]),
    (["models", "import"], ["--allow-unverified", "--graph", "--models-dir"]),
    (["runtime"], ["list", "install"]),
    (["runtime", "install"], ["--from", "openvino", "cuda"]),
    (["doctor"], ["--listen", "--data-dir", "--runtime", "--offline"]),
])
def test_help_names_what_there_is(cli, command, expected):
    text = cli(*command, "--help").out.decode()
    assert [word for word in expected if word not in text] == []
    assert "decode " not in text, "that one is the server's own"
