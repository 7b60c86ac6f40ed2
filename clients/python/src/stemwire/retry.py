"""How often, and how soon, something that broke is tried again."""
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Optional

from .errors import StemwireError, Unreachable

#: Reasons that pass by themselves.
_PASSING = ("SHUTTING_DOWN", "QUEUE_FULL", "UPLOAD_IDLE")


@dataclass(frozen=True)
class Retry:
    """How a client goes on after a broken connection, a restarted server or a full queue.

    Pauses double from `first_pause` on, up to `longest_pause`, and are a little shorter by chance, so that many
    clients do not come back at once. Where the server says when to come again, it is not before that.
    """

    #: Failures in a row, without having got on, that are borne; 0 gives up at the first.
    attempts: int = 8
    #: Seconds.
    first_pause: float = 0.25
    #: Seconds.
    longest_pause: float = 10.0

    def pause(self, error: StemwireError, failures: int) -> Optional[float]:
        """Seconds to wait after so many failures in a row; None where it is no use, or enough."""
        if failures > self.attempts or not is_passing(error):
            return None
        usual = min(self.first_pause * 2.0 ** max(failures - 1, 0), self.longest_pause)
        return max(usual * random.uniform(0.75, 1), error.retry_after or 0)


def is_passing(error: StemwireError) -> bool:
    """Whether the same may go well when it is tried again."""
    return isinstance(error, Unreachable) or error.reason in _PASSING


class Patience:
    """Counts the failures of one undertaking; a server that never answered is not asked again.

    Its address may be wrong, and nobody wants to wait for that to be told.
    """

    def __init__(self, retry: Retry):
        self._retry, self._failures, self._mark = retry, 0, (0, 0)

    def pause(self, error: StemwireError, mark: tuple[int, int], answered: bool) -> Optional[float]:
        """Seconds to wait after an error; `mark` says how far the undertaking is."""
        self._failures = 1 if mark > self._mark else self._failures + 1
        self._mark = max(mark, self._mark)
        if isinstance(error, Unreachable) and not answered:
            return None
        return self._retry.pause(error, self._failures)
