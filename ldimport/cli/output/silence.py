"""A server that does not answer: what is worth a line, and its words. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldimport.wording import exact_clock, utc

if TYPE_CHECKING:
    from ldimport.model import Silence

SLOW_PAUSE = 60.0


@dataclass(slots=True)
class SilenceOnce:
    """Which words about a server that does not answer are worth a line that stays: the first, the
    first that knows when the next try is, and its end. One that is merely slow is told of once
    in ``SLOW_PAUSE`` seconds."""

    now: Callable[[], float]
    _said: int = 0
    _slow_until: float = float("-inf")

    def worth(self, silence: Silence) -> bool:
        """Whether this is to be said, as far as the earlier ones were."""
        if silence.over:
            if self._said == 1:
                self._slow_until = self.now() + SLOW_PAUSE
            told, self._said = self._said > 0, 0
            return told
        level = 1 if silence.next_try is None else 2
        if level <= self._said or (level == 1 and self.now() < self._slow_until):
            return False
        self._said = level
        return True


def silence_text(silence: Silence, *, at: str = "") -> str:
    """Why, and ``at`` what time the next try is."""
    return f"{silence.why}; next try {at}" if at else silence.why


def full_text(silence: Silence, *, tty: bool) -> str:
    """The same with the time as it stands on a terminal, or in a log."""
    at = silence.next_try
    return silence_text(silence, at="" if at is None else exact_clock(at) if tty else utc(at))
