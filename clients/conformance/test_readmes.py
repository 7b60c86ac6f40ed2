"""What the READMEs of clients say is done as they say it: installed into an empty folder from a checkout that nothing was built in,
its first program run, and the commands of its examples.

Only addresses, PATH, the folder of the checkout, and the folder for an installation are replaced; `arecord` and `aplay` are files.
Rust's dependencies are those that the tests were built with, and C++ is compiled without optimisation: either takes minutes otherwise.
"""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from system.audio import RATE, encode, music
from system.repository import ROOT
from system.server import Server

SECONDS = 8
STEM = "vocals"
ADDRESS = "127.0.0.1:8000"
SCENARIO = {"name": "the README does what it says"}

GO_PROGRAM = """package main

import (
	"context"
	"fmt"
	"io"

	"stemwire"
	"stemwire/stemwirev1"
)

func run(ctx context.Context) error {{
{snippet}
	return err
}}

func main() {{
	if err := run(context.Background()); err != nil {{
		panic(err)
	}}
}}
"""
JAVA_PROGRAM = """import io.stemwire.client.*;
import io.stemwire.v1.SeparationConfig;
import java.nio.file.Path;

public class Main {{
  public static void main(String[] arguments) throws Exception {{
{snippet}
  }}
}}
"""
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>example</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>{dependency}</dependencies>
</project>
"""
RUST_PROGRAM = """{imports}

#[tokio::main]
async fn main() -> Result<(), stemwire_client::ClientError> {{
{statements}
    Ok(())
}}
"""
CARGO = """[package]
name = "readme"
version = "0.0.0"
edition = "2024"

{dependencies}
[[example]]
name = "readme"
path = "main.rs"
"""
CPP_PROGRAM = """#include <iostream>
{includes}

int main() {{
{statements}
}}
"""
CMAKE = """cmake_minimum_required(VERSION 3.22)
project(program LANGUAGES CXX)
add_executable(program main.cpp)
{snippet}
"""


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("data"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """The files of the repository without what was built."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


class Reader:
    """Follows a README in an empty folder."""

    def __init__(self, client: str, checkout: Path, server: Server, folder: Path):
        self.home, self.checkout, self.server = checkout / "clients" / FOLDERS.get(client, client.lower()), checkout, server
        self.project, tools = folder / "project", folder / "tools"
        self.text = (self.home / "README.md").read_text()
        self.project.mkdir()
        tools.mkdir()
        song = music(SECONDS)
        self.song = encode(song, "-b:a", "192k")
        (folder / "recording").write_bytes(np.rint(song * 32_767).astype("<i2").tobytes())
        self.played = folder / "played"
        for name, command in {"arecord": f"cat {folder}/recording", "aplay": f"cat > {self.played}"}.items():
            (tools / name).write_text(f"#!/bin/sh\n{command}\n")
            (tools / name).chmod(0o755)
        self.environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "STEMWIRE_SERVER": f"http://{server.address}"}
        # Not those of this repository's tests.
        self.environment.pop("PYTHONPATH", None)

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def here(self, text: str) -> str:
        return text.replace(ADDRESS, self.server.address).replace("PATH/", f"{self.checkout}/")

    def program(self, language: str, beginning: str) -> tuple[str, str]:
        """The first program: the lines that begin so, and the others."""
        lines = self.here(self.blocks(language)[0]).splitlines()
        return tuple("\n".join(line for line in lines if line.startswith(beginning) == first) for first in (True, False))

    def shell(self, commands: str, folder: Path) -> str:
        """Runs commands in a folder that has the song, and returns what they print."""
        (folder / "song.mp3").write_bytes(self.song)
        ended = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{self.here(commands)}"], cwd=folder, env=self.environment, capture_output=True, text=True,
            timeout=1800, check=False)
        assert ended.returncode == 0, f"{commands}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def check_printed(self, printed: str) -> None:
        """The first program prints a line for each chunk, which begins with the name of a stem."""
        assert {line.split()[0] for line in printed.splitlines() if line.strip()} >= {STEM}, printed

    def check_examples(self, folder: Path) -> None:
        """`stems` has the song's; the recording was heard to its end."""
        found = {path.stem: soundfile.info(path) for path in (folder / "stems").glob("*.wav")}
        assert STEM in found
        assert {info.frames for info in found.values()} == {SECONDS * RATE}, found
        assert self.played.stat().st_size == SECONDS * RATE * 8


@pytest.mark.parametrize("scenario", [SCENARIO], ids=[SCENARIO["name"]])
def test_readmes(checkout, server, binary, tmp_path, scenario, client):
    if client not in FOLLOWED:
        pytest.skip("another client of the same README")
    reader = Reader(client, checkout, server, tmp_path)
    reader.target = Path(binary).parent
    FOLLOWED[client](reader)


def python(reader: Reader) -> None:
    install, *_, examples = reader.blocks("sh")
    own = reader.project / "own"
    subprocess.run([sys.executable, "-m", "venv", own], check=True)
    reader.environment["PATH"] = f"{own}/bin:{reader.environment['PATH']}"
    # The server runs already; numbers of versions are read by pip.
    reader.shell(install.split("stemwire serve")[0], reader.checkout)
    (reader.project / "program.py").write_text(reader.blocks("python")[0])
    reader.check_printed(reader.shell("python program.py", reader.project))
    songs = reader.home / "songs"
    songs.mkdir()
    (songs / "song.mp3").write_bytes(reader.song)
    reader.shell(examples, reader.home)
    assert soundfile.info(reader.home / "karaoke.wav").frames == SECONDS * RATE
    assert {path.stem for path in (reader.home / "dataset" / "song.mp3").glob("*.wav")} >= {STEM}
    assert reader.played.stat().st_size == SECONDS * RATE * 8


def go(reader: Reader) -> None:
    install, *_, examples = reader.blocks("sh")
    program = GO_PROGRAM.format(snippet=reader.here(reader.blocks("go")[0]))
    (reader.project / "main.go").write_text(program)
    reader.shell(f"go mod init example\n{install}", reader.project)
    reader.check_printed(reader.shell("go run .", reader.project))
    reader.shell(examples, reader.home)
    reader.check_examples(reader.home)


def typescript(reader: Reader) -> None:
    install, *_, examples = reader.blocks("sh")
    checked_out, installed = install.splitlines()
    reader.shell(checked_out, reader.checkout)
    reader.shell(installed, reader.project)
    (reader.project / "program.mjs").write_text(reader.here(reader.blocks("ts")[0]))
    reader.check_printed(reader.shell("node program.mjs", reader.project))
    first, *others = examples.splitlines()
    reader.shell(first, reader.checkout)
    reader.shell("\n".join(others), reader.home)
    reader.check_examples(reader.home)


def java(reader: Reader) -> None:
    install, *_, examples = reader.blocks("sh")
    reader.shell(install.replace("mvn ", "mvn --batch-mode --quiet "), reader.project)
    (reader.project / "pom.xml").write_text(POM.format(dependency=reader.blocks("xml")[0]))
    source = reader.project / "src" / "main" / "java"
    source.mkdir(parents=True)
    (source / "Main.java").write_text(JAVA_PROGRAM.format(snippet=reader.here(reader.blocks("java")[0])))
    run = "mvn --batch-mode --quiet compile org.codehaus.mojo:exec-maven-plugin:3.6.2:java -Dexec.mainClass=Main"
    reader.check_printed(reader.shell(run, reader.project))
    reader.shell(examples, reader.home)
    reader.check_examples(reader.home)


def rust(reader: Reader) -> None:
    """In the workspace of a checkout: Cargo takes what it has compiled only for the same features of all dependencies."""
    imports, statements = reader.program("rust", "use ")
    member = reader.checkout / "readme"
    member.mkdir()
    (member / "main.rs").write_text(RUST_PROGRAM.format(imports=imports, statements=statements))
    (member / "Cargo.toml").write_text(CARGO.format(dependencies=reader.here(reader.blocks("toml")[0])))
    manifest = reader.checkout / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('members = [', 'members = ["readme", '))
    with compiled(reader.target) as target:
        reader.environment |= {"CARGO_TARGET_DIR": str(target), "CARGO_NET_OFFLINE": "true"}
        reader.check_printed(reader.shell("cargo run --quiet --example readme", reader.checkout))
        reader.shell(reader.blocks("sh")[0], reader.checkout)
    reader.check_examples(reader.checkout)


@contextlib.contextmanager
def compiled(target: Path):
    """A folder with the dependencies that were compiled in `target`, to compile more in: what is compiled for a folder that is removed
    must not stay."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="readme-") as folder:
        for part, copy in {"deps": os.link, ".fingerprint": shutil.copy2, "build": shutil.copy2}.items():
            shutil.copytree(target / part, Path(folder) / target.name / part, copy_function=copy)
        yield Path(folder)


def cpp(reader: Reader) -> None:
    install, examples = reader.blocks("sh")
    includes, statements = reader.program("cpp", "#include")
    (reader.project / "main.cpp").write_text(CPP_PROGRAM.format(includes=includes, statements=statements))
    (reader.project / "CMakeLists.txt").write_text(CMAKE.format(snippet=reader.blocks("cmake")[0]))
    prefix = reader.project / "installed"
    # Without a type of build CMake optimises.
    reader.environment |= {"CMAKE_BUILD_TYPE": "None", "CMAKE_BUILD_PARALLEL_LEVEL": "2", "CMAKE_PREFIX_PATH": str(prefix)}
    _packages, *commands = install.splitlines()
    library = reader.project / "library"
    library.mkdir()
    reader.shell("\n".join(commands).replace("/usr/local", str(prefix)), library)
    reader.shell("cmake -S . -B build && cmake --build build", reader.project)
    reader.check_printed(reader.shell("build/program", reader.project))
    # `make conformance` has built the examples.
    build, *runs = examples.splitlines()
    subprocess.run(["bash", "-c", build], cwd=ROOT / "clients/cpp", check=True)
    (reader.home / "build").symlink_to(ROOT / "clients/cpp/build")
    reader.shell("\n".join(runs), reader.home)
    reader.check_examples(reader.home)


FOLDERS = {"C++": "cpp"}
FOLLOWED = {"Python": python, "Go": go, "TypeScript": typescript, "Java": java, "Rust": rust, "C++": cpp}
