"""Names resolved beside the transfers, so that one slow name server holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.net.guard import Guard
from ldimport.url import Url

MAX_SECONDS = 20.0
"""How long a name may take."""
KEEP_SECONDS = 10.0
"""How long an answer holds; after that the name is resolved and checked again."""
MAX_KEPT = 1_024

Place = tuple[str, int]
"""Host and port."""
Found = tuple[str, ...] | Rejected
"""The addresses to connect to, or why there are none."""


class Lookups:
    """Answers of ``guard``, each asked for in a thread of its own and kept for a few seconds.

    A thread that hangs in the system's resolver cannot be ended; it is a daemon, so that it does
    not keep the process alive either.
    """

    def __init__(self, guard: Guard, clock: Callable[[], float]) -> None:
        self._guard = guard
        self._clock = clock
        self._kept: dict[Place, tuple[float, Found]] = {}
        self._asked: dict[Place, float] = {}
        self._answers: SimpleQueue[tuple[Place, Found]] = SimpleQueue()

    def __len__(self) -> int:
        """Names being resolved now."""
        return len(self._asked)

    def known(self, url: Url) -> Found | None:
        """What is known of the host of ``url`` without asking; None if it must be asked."""
        place = (url.host, url.port)
        kept = self._kept.get(place)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        if not url.literal:
            return None
        found = self._look_up(url)
        self._keep(place, found)
        return found

    def ask(self, url: Url) -> None:
        """Begin to resolve the host of ``url``, unless that is under way."""
        place = (url.host, url.port)
        if place not in self._asked:
            self._asked[place] = self._clock() + MAX_SECONDS
            threading.Thread(target=self._answer, args=(place, url), daemon=True).start()

    def answers(self, seconds: float) -> Iterator[tuple[Place, Found]]:
        """All answers that have come in, and a refusal for names that took too long; waits up to
        ``seconds`` for the first."""
        try:
            place, found = self._answers.get(timeout=seconds) if seconds > 0 else self._now()
            while True:
                self._asked.pop(place, None)
                self._keep(place, found)
                yield place, found
                place, found = self._now()
        except Empty:
            yield from self._overdue()

    def _overdue(self) -> Iterator[tuple[Place, Found]]:
        now = self._clock()
        for place in [place for place, end in self._asked.items() if end <= now]:
            del self._asked[place]
            yield place, unresolved(place[0])

    def _now(self) -> tuple[Place, Found]:
        return self._answers.get_nowait()

    def _answer(self, place: Place, url: Url) -> None:
        found: Found = unresolved(url.host)
        try:
            found = self._look_up(url)
        finally:  # also when a resolver breaks: whoever waits must hear of it
            self._answers.put((place, found))

    def _look_up(self, url: Url) -> Found:
        try:
            return self._guard.addresses(url)
        except Rejected as rejected:
            return rejected

    def _keep(self, place: Place, found: Found) -> None:
        if isinstance(found, Rejected) and found.retryable:
            return  # a second try is to ask again
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[place] = (self._clock() + KEEP_SECONDS, found)


def unresolved(host: str) -> Rejected:
    """The refusal of a name for which no answer came in time."""
    return Rejected(Cause.DNS, f"the name {host} could not be resolved (DNS)")
