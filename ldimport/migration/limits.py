"""How many failures a run bears before it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.errors import FailureLimitError
from ldimport.migration.model import CauseRow

ENOUGH = 100
"""A share of fewer images says nothing while a run goes on: one in three may be the only one."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """``most`` images, at the last of which it is reached; or more than ``most`` percent of those
    tried, where it is a ``share``. ``text`` as it was written."""

    text: str
    most: float
    share: bool = False

    @classmethod
    def of(cls, text: str) -> FailureLimit:
        """``any``, ``N`` or ``N%``, as ``settings`` lets them in."""
        if text == "any":
            return cls(text, 0)
        number = text.removesuffix("%")
        return cls(text.replace(" ", ""), float(number), share=number != text)

    def reached(self, failed: int, tried: int, *, whole: bool = False) -> bool:
        """Whether so many failures are too many; ``whole``: no more are to be tried, so that a
        share of a few counts too."""
        if self.share:
            return (whole or tried >= ENOUGH) and failed * 100 > self.most * tried
        return failed >= max(1, self.most)


def too_many(
    what: str, failed: int, tried: int, limit: FailureLimit, causes: Sequence[CauseRow]
) -> FailureLimitError:
    """The error that stops a run, with what most images failed for."""
    text = f"{what}: {failed:,} of {tried:,} images failed, more than --max-failures allows"
    most = max((row.images for row in causes), default=0)
    facts = {"limit": limit.text}
    for n, row in enumerate(causes[:_MOST_NAMED]):
        digits = len(f"{most:,}")
        facts["causes" if n == 0 else " " * n] = f"{row.images:>{digits},} {row.text}"
    hint = "ldimport results --failed   shows why; then run the same command again"
    return FailureLimitError(text, hint=hint, facts=facts)
