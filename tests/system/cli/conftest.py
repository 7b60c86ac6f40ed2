"""Songs, caches with builds of ONNX Runtime, and servers of models, for the tests of the command line."""
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ..audio import music, wav
from ..repository import ROOT
from ..server import set_variables
from ..shared_folder import shared_folder
from ..stemwire_client import separate
from .providers import library_folders
from .publisher import Publisher


@pytest.fixture(scope="module")
def whole(server):
    """The stems of `short` from the server: float32 [frames, 2]."""
    stems = separate(server.stub, wav(music(2))).stems
    return {name: np.frombuffer(pcm, "<f4").reshape(-1, 2) for name, pcm in stems.items()}


@pytest.fixture
def short(tmp_path) -> Path:
    """Two seconds, in a file."""
    path = tmp_path / "short.wav"
    path.write_bytes(wav(music(2)))
    return path


@pytest.fixture(scope="session")
def runtimes(binary, tmp_path_factory) -> Path:
    """A cache with OpenVINO's build of ONNX Runtime beside the CPU's."""
    def install(cache: Path) -> None:
        # Only the requested library may be found.
        environment = set_variables(os.environ, {"XDG_CACHE_HOME": cache, "STEMWIRE_RUNTIME": None})
        listed = subprocess.run([binary, "runtime", "list"], env=environment, capture_output=True, text=True, check=True)
        if "openvino" not in listed.stdout:
            pytest.skip("there is no OpenVINO for this machine")
        for name in ("cpu", "openvino"):
            subprocess.run([binary, "runtime", "install", name], env=environment, check=True)

    return shared_folder(tmp_path_factory, "runtimes", install)


@pytest.fixture
def here(runtimes, tmp_path) -> dict:
    """The environment of a user with both builds and an empty autotune cache."""
    cache = tmp_path / "cache"
    shutil.copytree(runtimes, cache, copy_function=os.link)
    (cache / "stemwire" / "trials.toml").unlink(missing_ok=True)
    (tmp_path / "song.wav").write_bytes(wav(music(6)))
    # A server measures every model: another `mini`, for which OpenVINO needs little time.
    models = shutil.copytree(ROOT / "tests" / "golden" / "spleeter-tiny-5stems", tmp_path / "small" / "mini").parent
    card = models / "mini" / "card.toml"
    card.write_text(card.read_text().replace('"spleeter-tiny-5stems"', '"mini"'))
    unset = {"STEMWIRE_RUNTIME": None, "STEMWIRE_PROVIDER": None}
    return {"XDG_CACHE_HOME": cache, "STEMWIRE_MODELS_DIR": models, "STEMWIRE_LOG": "stemwire=info,ort=off", **unset}


@pytest.fixture
def cpu_only(here) -> dict:
    """The environment of a user with the CPU build only."""
    for folder in library_folders(here, "openvino"):
        shutil.rmtree(folder)
    return here


@pytest.fixture
def publish():
    """publish(files, …) starts a publisher; all end with the test."""
    servers = []

    def publish(*arguments, **more) -> Publisher:
        servers.append(Publisher(*arguments, **more))
        return servers[-1]

    yield publish
    for server in servers:
        server.shutdown()
        server.server_close()
