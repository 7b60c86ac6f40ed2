"""ONNX Runtime: search order, and atomic installation."""
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS

MODELS = INSTANT_FOUR_STEMS


@pytest.fixture(scope="session")
def wheel(binary, tmp_path_factory) -> Path:
    """The published wheel of the CPU runtime that `runtime list` names, by pip."""
    listed = subprocess.run([binary, "runtime", "list"], capture_output=True, text=True, check=True).stdout
    package, version = re.search(r"^cpu +(\S+) ([\d.]+):", listed, re.MULTILINE).groups()
    folder = tmp_path_factory.mktemp("wheel")
    form = ["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312",
            "--platform", f"manylinux_2_28_{platform.machine()}"]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", *form, "-d", folder]
    subprocess.run([*command, f"{package}=={version}"], check=True)
    return next(folder.iterdir())


@pytest.fixture(scope="session")
def library(wheel, tmp_path_factory) -> Path:
    """The library of that wheel, unpacked by Python."""
    folder = tmp_path_factory.mktemp("library")
    shutil.unpack_archive(wheel, folder, "zip")
    return next(folder.glob("onnxruntime/capi/libonnxruntime.so.*"))


@pytest.fixture
def fresh(tmp_path) -> dict:
    """The environment of a user without a runtime."""
    return {"XDG_CACHE_HOME": tmp_path / "cache", "STEMWIRE_RUNTIME": None}


def runtimes(tmp_path: Path) -> list:
    """All entries of the cache, hidden ones included."""
    folder = tmp_path / "cache" / "stemwire" / "runtimes"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_list_shows_published_and_installed_models(cli, wheel, fresh, tmp_path):
    before = cli("runtime", "list", **fresh).out.decode()
    assert [line.split()[0] for line in before.splitlines()][:1] == ["cpu"]
    assert re.search(r"^cpu .*not installed, \d+ MB to download", before, re.MULTILINE)
    assert "not found" in before and str(tmp_path / "cache") in before
    cli("runtime", "install", "--from", wheel, **fresh)
    after = cli("runtime", "list", **fresh).out.decode()
    folder = tmp_path / "cache" / "stemwire" / "runtimes" / runtimes(tmp_path)[0]
    assert f"installed in {folder}\n" in after
    assert re.search(rf"^in use: {folder}/libonnxruntime\S+ \(installed", after, re.MULTILINE)


def test_the_published_wheel_is_installed_and_used(cli, wheel, library, fresh, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    for _ in range(2):
        output = cli("runtime", "install", "cpu", "--from", wheel, **fresh).out.decode()
        installed = Path(re.fullmatch(r"onnxruntime ([\d.]+) loads from (.+)\n", output)[2])
        assert installed.read_bytes() == library.read_bytes()
        assert runtimes(tmp_path) == [installed.parent.name], "nothing else is left"
        assert {"LICENSE", "ThirdPartyNotices.txt"} <= {path.name for path in installed.parent.iterdir()}
    cli("separate", "song.wav", "--stems", "bass", "--offline", **fresh)


def test_a_damaged_wheel_is_refused_and_leaves_nothing(cli, wheel, fresh, tmp_path):
    damaged = bytearray(wheel.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    for broken in (damaged, damaged[:1000], wheel.read_bytes() + b"\0"):
        (tmp_path / wheel.name).write_bytes(broken)
        output = cli("runtime", "install", "--from", tmp_path / wheel.name, code=4, **fresh)
        cause, remedy = output.err.splitlines()
        assert str(tmp_path / wheel.name) in cause and "remedy: Download the file again" in remedy
        for content in (bytes(broken), wheel.read_bytes()):
            assert hashlib.sha256(content).hexdigest() in cause
        assert runtimes(tmp_path) == []


def test_another_providers_wheel_is_refused(cli, wheel, fresh, tmp_path):
    output = cli("runtime", "install", "openvino", "--from", wheel, code=4, **fresh)
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() in output.err and "openvino" in output.err
    assert runtimes(tmp_path) == []


@pytest.mark.parametrize("arguments, code, expected", [
    (["--from", "nosuch.whl"], 4, "nosuch.whl"),
    (["directml"], 2, "cpu, openvino or cuda"),
])
def test_an_impossible_installation_is_reported(cli, fresh, tmp_path, arguments, code, expected):
    assert expected in cli("runtime", "install", *arguments, code=code, **fresh).err
    assert runtimes(tmp_path) == []


def test_the_first_run_installs_the_runtime_and_reports_it(cli, wheel, fresh, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    command = ["separate", "song.wav", "--stems", "bass", "--force"]
    # pip finds the wheel in its folder, so that nothing is fetched twice.
    online = fresh | {"STEMWIRE_OFFLINE": None, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheel.parent}
    first = cli(*command, **online)
    assert "installing it once" in first.err and "installed onnxruntime" in first.err
    assert len(runtimes(tmp_path)) == 1
    assert "install" not in cli(*command, **online).err
    assert (tmp_path / "stems" / "song" / "bass.wav").exists()


@pytest.mark.parametrize("variables, expected", [
    ({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "."}, "No matching distribution"),
    ({"PATH": "/nowhere"}, "PATH"),
])
def test_without_pip_or_its_wheel_the_remedy_is_another_way(cli, wheel, fresh, tmp_path, variables, expected):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    online = fresh | {"STEMWIRE_OFFLINE": None} | variables
    for command in (["runtime", "install"], ["separate", "song.wav"]):
        output = cli(*command, code=4, **online)
        cause, remedy = output.err.splitlines()[-2:]
        assert wheel.name in cause and expected in cause
        assert remedy.startswith("remedy: ") and wheel.name in remedy and "--from FILE" in remedy
        assert runtimes(tmp_path) == []


def test_a_runtime_is_taken_from_flag_environment_beside_the_binary_and_cache(binary, cli, wheel, library, fresh, tmp_path):
    """All four exist; then they are removed one by one."""
    places = {name: tmp_path / name for name in ("flag", "environment", "beside")}
    for folder in places.values():
        folder.mkdir()
        shutil.copy(library, folder)
    cli("runtime", "install", "--from", wheel, **fresh)
    own = shutil.copy(binary, places["beside"])
    data = ["--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data"]

    def used(flag: bool, environment: bool) -> str:
        variables = fresh | {"STEMWIRE_OFFLINE": "1"} | ({"STEMWIRE_RUNTIME": places["environment"]} if environment else {})
        variables = {name: str(value) for name, value in variables.items() if value is not None}
        without = {name: value for name, value in os.environ.items() if name != "STEMWIRE_RUNTIME"}
        command = [own, "doctor", *data, *(["--runtime", places["flag"] / library.name] if flag else [])]
        output = subprocess.run(command, env=without | variables, capture_output=True, text=True, timeout=60, check=False).stdout
        return re.search(r"onnxruntime [\d.]+ at (\S+)", output)[1]

    assert used(True, True) == str(places["flag"] / library.name)
    assert used(False, True) == str(places["environment"] / library.name)
    assert used(False, False) == str(places["beside"] / library.name)
    (places["beside"] / library.name).unlink()
    assert used(False, False).startswith(str(tmp_path / "cache"))


@pytest.mark.parametrize("arguments, variables", [
    (["--runtime", "mine/library.so"], {}),
    ([], {"STEMWIRE_RUNTIME": "mine/library.so"}),
    (["--runtime", "mine/library.so"], {"STEMWIRE_RUNTIME": "text.so"}),
])
def test_a_named_library_that_is_missing_is_not_replaced(cli, wheel, fresh, tmp_path, arguments, variables):
    """Although the cache and pip have others."""
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    cli("runtime", "install", "--from", wheel, **fresh)
    before = runtimes(tmp_path)
    output = cli("separate", "song.wav", *arguments, code=4, **fresh | {"STEMWIRE_OFFLINE": None} | variables)
    assert "mine/library.so" in output.err and "text.so" not in output.err and "cache" not in output.err
    assert "remedy: " in output.err and runtimes(tmp_path) == before
    assert not (tmp_path / "stems" / "song").exists()


def test_a_file_that_is_not_a_library_is_reported(cli, fresh, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    (tmp_path / "text.so").write_text("no library")
    cause, remedy = cli("separate", "song.wav", "--runtime", "text.so", code=4, **fresh).err.splitlines()
    assert "text.so does not load as ONNX Runtime" in cause and "runtime install" in remedy
