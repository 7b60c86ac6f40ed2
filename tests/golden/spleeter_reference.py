#!/usr/bin/env python3
"""Makes a Spleeter checkpoint in the layout of the published ones, with random values, and the stems
that the reference implementation (the `spleeter` package, TensorFlow) separates with it.

The published weights cannot be fetched where the tests run; this stands in for them. Compared with the published
2stems checkpoint: same 149 variables, same shapes, same order, same size of the data file (78,614,080 bytes).

    pip install spleeter==2.4.2 soundfile numpy      (Python 3.11 or older)
    spleeter_reference.py --audio MIX.wav... --out DIR [--stems 2|4|5] [--seed 1] [--mask-extension zeros|average]
                          [--filters 2,3,4,4,5,6] [--frames 64]

Writes into DIR
    <n>stems.tar.gz           checkpoint, model.index, model.data-00000-of-00001 and model.meta at the archive's root,
                              as published; with --filters, which makes a network of another width, without model.meta
    <mix>/<stem>.f32.wav      reference stems of each mixture, float32
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import argparse
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import soundfile


def configuration(options: argparse.Namespace) -> dict:
    """The published configuration, changed where the options ask for it."""
    from spleeter.utils.configuration import load_configuration

    parameters = load_configuration(f"spleeter:{options.stems}stems")
    parameters["mask_extension"] = options.mask_extension
    if options.frames:
        parameters["T"] = options.frames
    if options.filters:
        parameters["model"]["params"]["conv_n_filters"] = [int(count) for count in options.filters.split(",")]
    return parameters


def save_random_checkpoint(parameters: dict, seed: int, directory: Path) -> None:
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder

    v1 = tf.compat.v1
    draw = np.random.default_rng(seed)
    with tf.Graph().as_default():
        v1.set_random_seed(seed)
        features = {"waveform": v1.placeholder(tf.float32, [None, 2]), "audio_id": v1.placeholder(tf.string)}
        EstimatorSpecBuilder(features, parameters).outputs  # noqa: B018  (the first look builds them)
        v1.train.get_or_create_global_step()
        variables = v1.global_variables()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            # Zeros and ones hide errors, and so would kernels that are the same in every stem, as Spleeter starts with.
            for variable in variables:
                shape = variable.shape.as_list()
                if "kernel" in variable.name:
                    limit = np.sqrt(6 / np.prod(shape[:-1]))
                    variable.load(draw.uniform(-limit, limit, shape).astype("float32"), session)
                elif "moving_variance" in variable.name or "gamma" in variable.name:
                    variable.load(draw.uniform(0.5, 1.5, shape).astype("float32"), session)
                elif "moving_mean" in variable.name or "beta" in variable.name or "bias" in variable.name:
                    variable.load(draw.normal(0, 0.05, shape).astype("float32"), session)
            v1.train.Saver(variables).save(session, str(directory / "model"))
    # As published: found wherever it is unpacked.
    (directory / "checkpoint").write_text('model_checkpoint_path: "model"\nall_model_checkpoint_paths: "model"\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, nargs="+", required=True, help="44.1 kHz stereo that soundfile reads")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stems", type=int, choices=(2, 4, 5), default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mask-extension", choices=("zeros", "average"), default="zeros")
    parser.add_argument("--filters", help="filters of the six convolutions, comma-separated")
    parser.add_argument("--frames", type=int, help="T, spectrum frames of a window; a multiple of 64")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parameters = configuration(options)

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / parameters["model_dir"]
        directory.mkdir()
        save_random_checkpoint(parameters, options.seed, directory)
        with tarfile.open(options.out / f"{options.stems}stems.tar.gz", "w:gz") as archive:
            for file in ("checkpoint", "model.data-00000-of-00001", "model.index", "model.meta"):
                if not (options.filters and file == "model.meta"):
                    archive.add(directory / file, file)

        os.environ["MODEL_PATH"] = name
        (directory / ".probe").write_text("OK")  # tells spleeter that the model is there: no download
        description = Path(name) / "configuration.json"
        description.write_text(json.dumps(parameters))
        from spleeter.separator import Separator

        separator = Separator(str(description), multiprocess=False)
        for path in options.audio:
            audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
            assert rate == 44100 and audio.shape[1] == 2, "give 44.1 kHz stereo"
            folder = options.out / path.stem
            folder.mkdir(exist_ok=True)
            stems = separator.separate(audio)
            for stem, sound in stems.items():
                sound = np.asarray(sound, dtype="float32")
                soundfile.write(folder / f"{stem}.f32.wav", sound, rate, subtype="FLOAT")
            print(f"{options.stems}stems: {sorted(stems)}, {len(audio)} frames -> {folder}", flush=True)


if __name__ == "__main__":
    main()
