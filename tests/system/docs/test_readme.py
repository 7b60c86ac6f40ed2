"""Programs, options and calls in README.md and docs/ work as documented."""
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ..audio import RATE, music, wav
from ..repository import ROOT
from ..stemwire_client import api, separate
from .examples import examples

README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "API.md").read_text()
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()


def blocks(language: str) -> list:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_python_client_prints_stems_until_the_session_is_done(server, tmp_path):
    song = tmp_path / "song.wav"
    song.write_bytes(wav(music(10)))
    (program,) = blocks("python")
    stubs = Path(api.__file__).parents[2]
    environment = {"PYTHONPATH": str(stubs)}
    command = [sys.executable, "-c", program, song, server.address]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True).stdout
    lines = [line.split() for line in output.splitlines()]
    for stem in ("vocals", "accompaniment"):
        chunks = [(int(start), int(count)) for name, start, count in (line for line in lines if line[0] == stem)]
        assert sum(count for _, count in chunks) == 10 * RATE
        assert chunks[0][0] == 0
    assert lines[-1][0] == "session" and lines[-1][2:] == ["is", "done"]


def test_every_option_that_the_table_names_is_one(binary):
    help_text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    table = OPERATIONS.split("## Options")[1].split("\n## ")[0]
    named = set(re.findall(r"`(--[a-z-]+)`", table))
    there = set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", help_text, re.MULTILINE))
    assert named <= there, named - there
    # The table lists every option of the server.
    assert there - named <= {"--help", "--runtime", "--offline", "--insecure"}, there - named


@pytest.mark.parametrize(["command", "heading"], [("separate", "Options of `separate`"), ("mix", "A mix")])
def test_every_option_of_songs_is_documented(binary, command, heading):
    section = (ROOT / "docs" / "CLI.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"(?<=`)--[a-z-]+", section))
    text = subprocess.run([binary, command, "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)) - {"--help"}
    assert options and options - documented == set() and documented - options == set()


def test_every_option_is_a_variable_too(binary):
    help_text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    options = re.split(r"^ +(?=--[a-z])", help_text, flags=re.MULTILINE)[1:]
    without = [text.split()[0] for text in options if "[env: STEMWIRE_" not in " ".join(text.split())]
    assert without == []


def test_the_commands_call_services_that_there_are(server):
    named = set(re.findall(r"/(stemwire\.v1\.\w+/\w+)", README + API))
    proto = (ROOT / "proto/stemwire/v1/separation_service.proto").read_text()
    calls = {f"stemwire.v1.SeparationService/{name}" for name in re.findall(r"^  rpc (\w+)\(", proto, re.MULTILINE)}
    assert named and named <= calls
    table = API.split("| call |")[1].split("###")[0]
    assert {f"stemwire.v1.SeparationService/{name}" for name in re.findall(r"`([A-Z]\w+)`", table)} == calls


def test_every_call_in_the_documentation_is_one_that_a_test_runs():
    """All calls of README.md and docs/API.md (test_api.py) and clients/README.md (test_recipes.py), and by clients/conformance/wire/
    test_tools.py load in docs/PERFORMANCE.md and health probes in docs/OPERATIONS.md. Other pages repeat these."""
    def calls(path: Path, *tools: str) -> set[str]:
        commands = [command for example in examples(path.read_text()) for command in example.commands]
        return {" ".join(command.split("  #")[0].split()) for command in commands if command.split()[0] in tools}

    tools = ("curl", "curl.exe", "grpcurl", "buf", "ghz", "grpc-health-probe")
    docs, clients = ROOT / "docs", ROOT / "clients"
    run = calls(ROOT / "README.md", *tools[:4]) | calls(docs / "API.md", *tools[:4]) | calls(clients / "README.md", *tools[:4])
    run |= calls(docs / "PERFORMANCE.md", "ghz") | calls(docs / "OPERATIONS.md", "grpc-health-probe")
    pages = [ROOT / "README.md", *docs.rglob("*.md"), *clients.rglob("README.md"), ROOT / "models" / "README.md"]
    found = {call for page in pages if "node_modules" not in page.parts for call in calls(page, *tools)}
    assert len(found) > 40 and found <= run, found - run


def test_every_option_of_a_documented_server_is_one(binary):
    help_text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    there = set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", help_text, re.MULTILINE))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    commands = [command for page in pages for example in examples(page.read_text()) for command in example.commands]
    named = [(command, set(re.findall(r"--[a-z-]+", command))) for command in commands if command.startswith("stemwire serve")]
    assert len(named) > 3 and all(options <= there for _, options in named), named


def test_the_table_of_metrics_is_complete(start, tmp_path):
    server = start("--store", f"file://{tmp_path / 'store'}", "--engines", "mini-spleeter")
    separate(server.stub, wav(music(5)))
    urllib.request.urlopen(f"http://{server.address}/health").close()
    with urllib.request.urlopen(f"http://{server.address}/metrics") as answer:
        served = dict(re.findall(r"^# TYPE (\w+) (\w+)$", answer.read().decode(), re.MULTILINE))
    documented = {}
    for names, kinds in re.findall(r"^\| (`stemwire_.*?) \| ([a-z, ]+) \|", OPERATIONS, re.MULTILINE):
        names, kinds = re.findall(r"`(\w+)`", names), kinds.split(", ")
        documented |= {name.removesuffix("_total"): kinds[min(at, len(kinds) - 1)] for at, name in enumerate(names)}
    # A counter with labels appears with its first sample, and this server has no credentials in files and no cluster.
    of_workers = {(name, kind) for name, kind in documented.items() - served.items() if re.search("worker|segment", name)}
    assert len(of_workers) == 14
    assert documented.items() - served.items() - of_workers == {
        ("stemwire_forwarded_calls", "counter"), ("stemwire_lease_changes", "counter"),
        ("stemwire_fallbacks", "counter"), ("stemwire_credential_reloads", "counter"), ("stemwire_credentials_outdated", "gauge"),
    }
    assert served.items() <= documented.items()


def test_every_link_of_the_documentation_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "clients" / "README.md", ROOT / "models" / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor and file.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
                assert anchor in anchors, f"{page.name}: {target}#{anchor}"


def test_every_test_that_the_threat_model_names_is_one():
    promises = (ROOT / "docs" / "SECURITY.md").read_text().split("### Promises")[1].split("\n#")[0]
    named = {name for name in re.findall(r"`([a-z0-9_]+)`", promises) if name.count("_") > 2}
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "tests" / "it").rglob("*.rs"), *(ROOT / "src").rglob("*.rs")]
    there = {name for source in sources for name in re.findall(r"\b(?:def|fn) (\w+)", source.read_text())}
    assert len(named) > 10 and named <= there, named - there


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150
