"""Image servers that fail over and over: they are left in peace while others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ldimport.causes import known_cause
from ldimport.migration.model import HostOutcome
from ldimport.model import Notice

IN_A_ROW = 20
"""Failures of one host without a success between, after which no more of it is sent in a run."""
PORTION = 5
"""Images of a host that failed so before, by which the next run finds out how it is now."""
RECENT = 3 * 24 * 3_600.0
"""Seconds for which it is remembered that a host failed so."""


def blames_host(cause: str | None, retryable: bool) -> bool:
    """Whether a failure says of the image server that it does not work at present."""
    known = known_cause(cause) if retryable and cause else None
    return known is not None and known.of_the_host


class Breaker:
    """Hears how images ended, and holds hosts back. ``held`` counts by host what was not sent."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self._in_a_row: Counter[str] = Counter()

    def hear(self, outcomes: Iterable[HostOutcome]) -> Iterator[Notice]:
        """Take note of images that ended, in their order; says once which host is held back. What
        fails for a cause of its own says nothing about its host."""
        for each in outcomes:
            if each.arrived:
                self._in_a_row.pop(each.host, None)
            elif each.host and each.blamed:
                self._in_a_row[each.host] += 1
                if self._in_a_row[each.host] >= IN_A_ROW:
                    yield from self._hold(each.host)

    def probed(self, sent: Mapping[str, int]) -> Iterator[Notice]:
        """So many of each of these hosts were sent to find out how it is, and have ended: those of
        which all failed are held back."""
        for host, images in sent.items():
            if images and self._in_a_row[host] >= images:
                yield from self._hold(host)

    def lets(self, host: str) -> bool:
        """Whether an image of this host may be sent; counts those that may not."""
        if host not in self.held:
            return True
        self.held[host] += 1
        return False

    def _hold(self, host: str) -> Iterator[Notice]:
        if host not in self.held:
            self.held[host] = 0
            images = self._in_a_row[host]
            text = f"{host} failed {images} times in a row: no more of it is sent in this run"
            yield Notice("host-held-back", text)
