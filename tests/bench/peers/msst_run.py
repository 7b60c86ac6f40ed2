"""PyTorch's SCNet or RoFormer as a whole process: loads a checkpoint, separates a file as Music-Source-Separation-Training does,
writes the stems.

    msst_run.py FILE.ckpt FILE.yaml OVERLAPS MIX.wav OUT
"""
import sys
from pathlib import Path

import torch
from pymss_core.config import load_config
from pymss_core.utils import get_model_from_config

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "golden"))
from msst import demix, read_stereo, write_stereo


def main() -> None:
    checkpoint, configuration, overlaps, mix, out = sys.argv[1:]
    config = load_config(configuration)
    # Where the package has other defaults than Music-Source-Separation-Training: linear layers in the masks, the lowest bin.
    defaults = {"mlp_hidden_layers": 2} if "num_bands" in config["model"] else {}
    if "freqs_per_bands" in config["model"]:
        defaults = {"zero_dc": True}
    model, _ = get_model_from_config("auto", configuration, defaults)
    model.load_state_dict(torch.load(checkpoint, weights_only=True))
    track = read_stereo(Path(mix))
    mean, deviation = 0.0, 1.0
    if config["inference"].get("normalize"):
        mean, deviation = track.mean(0).mean(), track.mean(0).std()
    with torch.inference_mode():
        stems = demix(model.eval(), (track - mean) / deviation, config["audio"]["chunk_size"], int(overlaps))
    Path(out).mkdir(parents=True, exist_ok=True)
    names = config["training"]["target_instrument"]
    names = [names] if names else config["training"]["instruments"]
    for name, stem in zip(names, stems * deviation + mean, strict=True):
        write_stereo(Path(out) / f"{name}.wav", stem)


main()
