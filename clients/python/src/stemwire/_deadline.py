"""How long a separation may take."""
from __future__ import annotations

import time


class Deadline:
    """The moment at which the calls of a separation end, `seconds` from now; None for no limit."""

    def __init__(self, seconds: float | None = None):
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds, 0 once it has passed."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def limit(self, seconds: float) -> float:
        """At most these seconds."""
        left = self.left()
        return seconds if left is None else min(seconds, left)
