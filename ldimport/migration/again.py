"""When a failed image is sent again by itself: how often, and how long after it failed."""

from dataclasses import dataclass

from ldimport.migration.model import Known

TRIES = 5
"""An image is sent so often at most, the first time counted, until a person decides."""
HOUR = 3_600.0
DAY, SPAN = 24 * HOUR, 72 * HOUR
EARLY = 6 * HOUR
"""Waits of a day and more are over so much sooner: a failure is known when its job has ended, and
a nightly run that took hours must not keep the next one from trying."""
_FIRST = (HOUR, 6 * HOUR, DAY - EARLY)


def due_at(tries: int, since: float, last: float) -> float:
    """From when on (Unix seconds) an image may be sent again that failed so often ``since`` then,
    and ``last`` then: an hour later, 6 hours, a day; then 3 days after it failed first, and once a
    day from there on."""
    if tries <= len(_FIRST):
        return last + _FIRST[max(tries, 1) - 1]
    return max(last + DAY - EARLY, since + SPAN - EARLY)


@dataclass(frozen=True, slots=True)
class Again:
    """The one place that decides it, as of ``now``; ``most``: tries at most."""

    now: float
    most: int = TRIES

    def sends(self, known: Known) -> bool:
        """Whether a failed image that was not edited is sent again."""
        if not known.retryable or known.waived or known.tries >= self.most:
            return False
        since, last = known.failing_since or 0.0, known.failed_at or 0.0
        return due_at(known.tries, since, last) <= self.now
