"""What is known of each host while fetching: how busy it is, until when it asked for rest, and
whether it was out of reach a moment ago."""

from __future__ import annotations

from collections.abc import Callable

MAX_KNOWN = 10_000
"""Hosts remembered as out of reach; an archive names a handful."""


class Hosts:
    """At most ``per_host`` exchanges with one host at a time; ``clock`` gives seconds."""

    def __init__(self, per_host: int, clock: Callable[[], float]) -> None:
        self._per_host = per_host
        self._clock = clock
        self._busy: dict[str, int] = {}
        self._resting: dict[str, float] = {}
        self._out_of_reach: dict[str, None] = {}

    def room(self, host: str) -> bool:
        """Whether one more exchange with ``host`` may begin."""
        return self._busy.get(host, 0) < self._per_host

    def enter(self, host: str) -> None:
        """An exchange with ``host`` begins."""
        self._busy[host] = self._busy.get(host, 0) + 1

    def leave(self, host: str) -> None:
        """An exchange with ``host`` has ended."""
        left = self._busy.pop(host) - 1
        if left:
            self._busy[host] = left

    def leave_all(self) -> None:
        """All exchanges were broken off."""
        self._busy.clear()

    def rest(self, host: str, seconds: float) -> None:
        """``host`` asked not to be bothered for a while."""
        self._resting[host] = max(self._resting.get(host, 0.0), self._clock() + seconds)

    def rests_until(self, host: str) -> float | None:
        """When ``host`` may be asked again, None for now."""
        until = self._resting.get(host)
        if until is None or until > self._clock():
            return until
        del self._resting[host]
        return None

    def lost(self, host: str) -> None:
        """An image was given up because ``host`` could not be reached in all its tries."""
        self._out_of_reach[host] = None
        if len(self._out_of_reach) > MAX_KNOWN:
            del self._out_of_reach[next(iter(self._out_of_reach))]

    def reached(self, host: str) -> None:
        """``host`` answered something."""
        self._out_of_reach.pop(host, None)

    def out_of_reach(self, host: str) -> bool:
        """Whether to try ``host`` just once for each image: its last one was given up, and ten
        thousand images need not wait out the same silence one after another."""
        return host in self._out_of_reach
