"""How fast a run goes on, and how long that leaves."""

import math
from collections import deque
from collections.abc import Callable

from ldimport.wording import duration

RATE_WINDOW = 60.0
RATE_AFTER = 10.0
MOST_WRONG = 3.0
"""Seconds after its end for which an estimate still says that a second is left."""


class Throughput:
    """How fast something grows, over the last minute, and since when it does not."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()
        self._began = self._changed = monotonic()

    def add(self, done: int) -> None:
        """So many are done by now."""
        now = self._monotonic()
        if not self._seen or done != self._seen[-1][1]:
            self._seen.append((now, done))
            self._changed = now
        while len(self._seen) > 1 and self._seen[1][0] < now - RATE_WINDOW:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """Average over the last minute; 0 when unknown."""
        if len(self._seen) < 2:
            return 0.0
        (began, before), (at, now) = self._seen[0], self._seen[-1]
        return max(0.0, (now - before) / (at - began)) if at > began else 0.0

    def left(self, rest: int) -> str:
        """Time left in words, counting down since something moved last; ``…`` when that was no
        good guess, empty before ten seconds have passed."""
        left = self.seconds_left(rest)
        if left is None:
            return ""
        return f"{duration(max(1, round(left)))} left" if left > -MOST_WRONG else "…"

    def seconds_left(self, rest: int) -> float | None:
        """Seconds until the rest is done at this rate, less than none where that was no good
        guess; None before ten seconds have passed, and where there is no rest."""
        if self._monotonic() - self._began < RATE_AFTER or rest <= 0:
            return None
        return rest / self.per_second - self.idle if self.per_second else -math.inf

    @property
    def idle(self) -> float:
        """Seconds since something changed."""
        return self._monotonic() - self._changed
