"""How often a target is asked, and about which of thousands of jobs next."""

import math
from collections import deque
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import TypeVar

from ldimport.errors import LdimportError
from ldimport.migration.account import Clock

LONGEST_GAP = 30.0
"""Seconds between two requests to a busy target, at most; it slows down to one a second at once."""
BUSY_PATIENCE = 600.0
"""Seconds in a row that a target may be too busy to answer at all."""

_Answer = TypeVar("_Answer")
Step = Generator[None, None, _Answer]
"""Work in steps: it stands still before each request until the pace admits one."""


class Pace:
    """At most so many requests a second, evenly spread; fewer while the target is busy (429, 503),
    which ends a run only after ten minutes."""

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock, self._least = clock, 1 / per_second
        self._gap, self._next = self._least, -math.inf
        self._busy_since: float | None = None

    @property
    def wait(self) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._next - self._clock.monotonic())

    def ask(self, question: Callable[[], _Answer]) -> Step[_Answer]:
        """The answer; asked again, more slowly, while the target is busy. Raises whatever else
        the question does."""
        while True:
            yield
            self._next = self._clock.monotonic() + self._gap
            try:
                answer = question()
            except LdimportError as error:
                if error.code != "busy":
                    raise
                self._slow_down(error)
                continue
            self._busy_since, self._gap = None, max(self._least, self._gap / 2)
            return answer

    def _slow_down(self, error: LdimportError) -> None:
        now = self._clock.monotonic()
        self._busy_since = now if self._busy_since is None else self._busy_since
        if now - self._busy_since > BUSY_PATIENCE:
            raise error
        self._gap = min(LONGEST_GAP, max(1.0, 2 * self._gap))
        self._next = now + self._gap


class Rounds:
    """Numbers of jobs, oldest lowest, each with the time when it is to be asked about. Of those
    that are due, in turn the oldest comes first, since jobs mostly end in the order in which they
    were accepted, and the one that has waited longest, since some do not."""

    def __init__(self) -> None:
        self._later: list[tuple[float, int]] = []
        self._at: dict[int, float] = {}
        self._due: set[int] = set()
        self._by_age: list[int] = []
        self._by_wait: deque[int] = deque()
        self._oldest_first = False

    def add(self, number: int, at: float) -> None:
        """Ask about it at this time."""
        self._at[number] = at
        heappush(self._later, (at, number))

    def hasten(self, number: int, at: float) -> None:
        """Ask about it at this time already, if it waits for a later one."""
        if at < self._at.get(number, at):
            self.add(number, at)

    def take(self, now: float) -> int | None:
        """The next one that is due; it is no longer in the rounds."""
        while self._later and self._later[0][0] <= now:
            at, number = heappop(self._later)
            if self._at.get(number) != at:
                continue  # it was hastened
            del self._at[number]
            self._due.add(number)
            heappush(self._by_age, number)
            self._by_wait.append(number)
        if not self._due:
            return None
        self._oldest_first = not self._oldest_first
        while True:
            number = heappop(self._by_age) if self._oldest_first else self._by_wait.popleft()
            if number in self._due:
                self._due.remove(number)
                return number

    def soonest(self) -> float:
        """When the next one is due; -inf: one is; inf: there is none."""
        return -math.inf if self._due else self._later[0][0] if self._later else math.inf


class Asking:
    """Asks one question after the other at a pace, and waits in between; ``per_second`` 0 or
    infinite: without waiting."""

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock, self._pace = clock, Pace(clock, per_second or math.inf)

    def __call__(self, question: Callable[[], _Answer]) -> _Answer:
        """The answer. Raises what the question does."""
        step = self._pace.ask(question)
        next(step)
        while True:
            if (seconds := self._pace.wait) > 0:
                self._clock.sleep(seconds)
            try:
                next(step)
            except StopIteration as end:
                answer: _Answer = end.value
                return answer
