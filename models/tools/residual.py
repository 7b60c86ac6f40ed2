"""What the small model leaves of the mixture, and who gets it.

A small model is timid: what it cannot tell apart it gives to no stem. Sharing that out makes the stems sum to the song.
"""

import numpy as np

# Drums, bass, other, vocals. By least squares over training songs drums would get 0.40, bass 0.12, other 0.24 and vocals
# 0.24; vocals get more here, because a voice that is missed is what listeners mind most.
SHARES = (0.30, 0.05, 0.20, 0.45)


def share_out(mix: np.ndarray, stems: np.ndarray) -> np.ndarray:
    """Stems (4, 2, frames) that sum to mix (2, frames)."""
    return stems + np.array(SHARES, np.float32)[:, None, None] * (mix - stems.sum(axis=0))
