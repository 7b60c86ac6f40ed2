"""HTDemucs' arguments: what they are by default, which matter to the graph, and which it cannot honour."""
from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

# These need no attention: the weights show their effect, or they matter only to training or to what FIXED excludes.
WITHOUT_EFFECT = {
    "channels", "growth", "context", "context_enc", "dconv_comp", "t_hidden_scale",
    "emb_smooth", "dconv_init", "t_dropout", "t_weight_decay", "t_lr", "rescale",
    "wiener_iters", "end_iters", "wiener_residual", "time_stride", "multi_freqs_depth", "norm_groups",
    "t_max_positions", "t_cape_mean_normalize", "t_cape_augment", "t_cape_glob_loc_scale", "t_mask_type",
    "t_mask_random_seed", "t_sparse_attn_window", "t_global_window", "t_sparsity",
}  # fmt: skip

# What the graph takes for granted: defaults of demucs 4.1, from which no published HTDemucs departs.
FIXED = {
    "audio_channels": 2, "channels_time": None, "cac": True, "multi_freqs": None, "t_emb": "sin", "t_norm_in": True,
    "t_norm_in_group": False, "t_group_norm": False, "t_norm_first": True, "t_norm_out": True, "t_layer_scale": True,
    "t_gelu": True, "t_sin_random_shift": 0, "t_sparse_self_attn": False, "t_sparse_cross_attn": False,
    "t_auto_sparsity": False, "use_train_segment": True,
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The arguments that shape the graph, with the defaults of demucs 4.1."""

    sources: tuple[str, ...]
    nfft: int = 4096
    depth: int = 4
    rewrite: bool = True
    freq_emb: float = 0.2
    emb_scale: float = 10
    kernel_size: int = 8
    stride: int = 4
    norm_starts: int = 4
    dconv_mode: int = 1
    dconv_depth: int = 2
    bottom_channels: int = 0
    t_layers: int = 5
    t_heads: int = 8
    t_max_period: float = 10000.0
    t_weight_pos_embed: float = 1.0
    t_cross_first: bool = False
    samplerate: int = 44100
    segment: Fraction = Fraction(10)

    @staticmethod
    def parse(kwargs: dict[str, Any]) -> Config:
        """Checks the arguments; ValueError naming each that the graph cannot honour."""
        own = {field.name for field in fields(Config)}
        faults = []
        for name, value in kwargs.items():
            if name in FIXED and value != FIXED[name] and not (value == [] and FIXED[name] is None):
                faults.append(f"{name}={value!r} (only {FIXED[name]!r} is known)")
            elif name not in own | WITHOUT_EFFECT | set(FIXED):
                faults.append(f"{name}={value!r} (not known)")
        if not kwargs.get("sources"):
            faults.append("sources (missing or empty)")
        if faults:
            raise ValueError("arguments that the graph cannot honour: " + ", ".join(faults))
        chosen = {name: value for name, value in kwargs.items() if name in own}
        config = Config(**{**chosen, "sources": tuple(kwargs["sources"])})
        if config.norm_starts < config.depth:
            raise ValueError(f"norm_starts={config.norm_starts}: layers with group norm are not known")
        if config.bins // config.stride ** (config.depth - 1) <= config.kernel_size:
            raise ValueError(f"depth={config.depth}: so deep, the branches merge, which is not known")
        return config

    @property
    def frames(self) -> int:
        """T: samples of a segment in each channel."""
        return int(self.segment * self.samplerate)

    @property
    def bins(self) -> int:
        """F: spectrum bins, without the one at half the sample rate."""
        return self.nfft // 2

    @property
    def columns(self) -> int:
        """N: spectrum frames of a segment; the hop is a quarter of the transform."""
        return -(-self.frames // (self.nfft // 4))
