"""Whether and when a failed call is repeated."""
from __future__ import annotations

import random
from dataclasses import dataclass

from .errors import StemwireError, Unreachable


@dataclass(frozen=True)
class Retry:
    """How a client continues after a broken connection, a restart of the server or a full queue.

    Pauses double from `first_pause` up to `longest_pause`, less a random part so that many clients do not return
    at the same moment. A pause is never shorter than the server asks for.
    """

    #: Consecutive failures without progress that are retried; 0 disables retries.
    attempts: int = 8
    #: Seconds.
    first_pause: float = 0.25
    #: Seconds.
    longest_pause: float = 10.0

    def pause(self, error: StemwireError, failures: int) -> float | None:
        """Seconds to wait after `failures` in a row; None if the call must not be repeated."""
        if failures > self.attempts or not is_transient(error):
            return None
        usual = min(self.first_pause * 2.0 ** max(failures - 1, 0), self.longest_pause)
        return max(usual * random.uniform(0.75, 1), error.retry_after or 0)


def is_transient(error: StemwireError) -> bool:
    """Whether the same call can succeed later: the connection failed, or the server's answer has RetryInfo."""
    return isinstance(error, Unreachable) or error.retry_after is not None


class Backoff:
    """Counts the consecutive failures of one operation.

    A server that never answered is not retried: its address is probably wrong, and the caller should see that at once.
    """

    def __init__(self, retry: Retry):
        self._retry, self._failures, self._position = retry, 0, (0, 0)

    def pause(self, error: StemwireError, position: tuple[int, int], answered: bool) -> float | None:
        """Seconds to wait after an error; a `position` beyond the last one starts a new count."""
        self._failures = 1 if position > self._position else self._failures + 1
        self._position = max(position, self._position)
        if isinstance(error, Unreachable) and not answered:
            return None
        return self._retry.pause(error, self._failures)
