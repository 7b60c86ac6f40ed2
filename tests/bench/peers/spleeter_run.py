"""TensorFlow's Spleeter as a whole process: loads a checkpoint of two stems, separates a file, writes the stems.

    spleeter_run.py 2stems.tar.gz MIX.wav OUT
"""
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Spleeter reads where its models are when it is imported.
MODELS = tempfile.TemporaryDirectory()
os.environ["MODEL_PATH"] = MODELS.name

import numpy as np
import soundfile
import tensorflow
from spleeter.separator import Separator
from spleeter.utils.configuration import load_configuration


def main() -> None:
    archive, mix, out = sys.argv[1:]
    parameters = load_configuration("spleeter:2stems")
    directory = Path(MODELS.name) / parameters["model_dir"]
    directory.mkdir()
    with tarfile.open(archive) as files:
        files.extractall(directory)
    # TensorFlow would continue with random weights.
    assert tensorflow.train.latest_checkpoint(directory), f"{archive} holds no checkpoint"
    (directory / ".probe").write_text("OK")  # tells spleeter that the model is there: no download
    description = Path(MODELS.name) / "configuration.json"
    description.write_text(json.dumps(parameters))
    separator = Separator(str(description), multiprocess=False)
    audio, rate = soundfile.read(mix, dtype="float32", always_2d=True)
    stems = separator.separate(audio)
    Path(out).mkdir(parents=True, exist_ok=True)
    for stem, sound in stems.items():
        soundfile.write(Path(out) / f"{stem}.wav", np.asarray(sound, dtype="float32"), rate, subtype="FLOAT")


main()
