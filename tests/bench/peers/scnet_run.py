"""PyTorch's SCNet as a whole process: loads a checkpoint, separates a file as Music-Source-Separation-Training does, writes the
stems.

    scnet_run.py scnet.ckpt scnet.yaml OVERLAPS MIX.wav OUT
"""
import sys
from pathlib import Path

import torch
from pymss_core.utils import get_model_from_config

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "golden"))
from msst import demix, read_stereo, write_stereo


def main() -> None:
    checkpoint, configuration, overlaps, mix, out = sys.argv[1:]
    model, config = get_model_from_config("auto", configuration)
    model.load_state_dict(torch.load(checkpoint, weights_only=True))
    track = read_stereo(Path(mix))
    mean, deviation = track.mean(0).mean(), track.mean(0).std()
    with torch.inference_mode():
        stems = demix(model.eval(), (track - mean) / deviation, config["audio"]["chunk_size"], int(overlaps))
    Path(out).mkdir(parents=True, exist_ok=True)
    for name, stem in zip(config["training"]["instruments"], stems * deviation + mean, strict=True):
        write_stereo(Path(out) / f"{name}.wav", stem)


main()
