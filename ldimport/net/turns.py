"""Whose turn it is: tasks wait at their hosts, which take turns; a host that stalls, rests or
whose name is not known yet keeps nobody else waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from ldimport.errors import Rejected
from ldimport.net.answers import FetchSource
from ldimport.net.hosts import Host, Hosts
from ldimport.url import Url

LOOK_SECONDS = 0.25
"""Between two looks at what has arrived."""
SLOW = 16_000
"""Bytes a second below which a transfer stalls."""
STILL_PAUSE = 2.0
"""Seconds that a host which stalls is not asked for more."""
USUAL = 3
"""A host that is slow to answer may take so many times as long as it did before, and"""
MOST_USUAL = 5.0
"""at most so many seconds, until it counts as one that stalls."""


@dataclass(slots=True)
class FetchTask:
    """A source under way. ``url`` is where it stands now, ``hops`` redirects behind its own URL;
    ``begun`` and ``try_begun`` are clock times of the first try and of the one under way;
    ``failed`` is what became of the last one. ``cookies`` that a redirect set live for this try,
    each for the origin that it came from alone. Of the exchange under way: when it was ``asked``
    for, and ``answered`` (None: nothing has come); ``received`` bytes were there at the last look,
    at ``moved_at`` enough of them; ``still``: that is too long ago."""

    source: FetchSource
    origin: Url
    url: Url
    hops: int = 0
    tries: int = 0
    begun: float | None = None
    try_begun: float | None = None
    failed: Rejected | None = None
    cookies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: float = 0.0
    answered: float | None = None
    received: int = 0
    moved_at: float = 0.0
    still: bool = False

    def begin(self, now: float) -> None:
        """A try begins, unless a redirect goes on with the same one."""
        self.asked, self.answered = now, None
        self.received, self.moved_at, self.still = 0, now, False
        if self.try_begun is None:
            self.tries += 1
            self.try_begun = now
            self.begun = now if self.begun is None else self.begun

    def fail(self, rejected: Rejected) -> None:
        """A try came to nothing; the next one starts from the source's own URL."""
        self.failed = rejected
        self.url = self.origin
        self.hops = 0
        self.try_begun = None
        self.cookies.clear()


@dataclass(slots=True)
class Turns:
    """The tasks of one round that are not under way, and what is known of those that are.

    ``still`` transfers stall, ``ahead`` tasks wait at hosts that may take them soon. Hosts in
    ``_ready`` have waiting tasks and perhaps room, each is there once."""

    hosts: Hosts[FetchTask]
    still: int = 0
    ahead: int = 0
    _ready: deque[Host[FetchTask]] = field(default_factory=deque)
    _sleeping: list[tuple[float, int, FetchTask | Host[FetchTask]]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=count)
    _look_at: float = float("-inf")

    def of(self, task: FetchTask) -> Host[FetchTask]:
        """The host that a task wants to go to, or is at."""
        return self.hosts[task.url.host]

    def add(self, task: FetchTask, *, first: bool = False) -> None:
        """A task waits at its host."""
        host = self.of(task)
        (host.waiting.appendleft if first else host.waiting.append)(task)
        self.ahead += host.open
        self.list(host)

    def crowd(self, task: FetchTask) -> int:
        """How many wait already where it would have to wait for long."""
        host = self.of(task)
        return len(host.waiting) if host.stalls else 0

    def take(self, task: FetchTask) -> None:
        """It waits no longer."""
        host = self.of(task)
        host.waiting.remove(task)
        self.ahead -= host.open

    def list(self, host: Host[FetchTask]) -> None:
        """Something has changed at a host: its turn will come."""
        if host.waiting and not host.listed:
            host.listed = True
            self._ready.append(host)

    def next(self) -> Host[FetchTask] | None:
        """The host whose turn it is; whoever gets it lists it again."""
        if not self._ready:
            return None
        host = self._ready.popleft()
        host.listed = False
        return host

    def sleep(self, until: float, who: FetchTask | Host[FetchTask]) -> None:
        """A task of no host, or a host with all its tasks, waits for this clock time."""
        if isinstance(who, Host):
            self.open(who, opened=False)
        heappush(self._sleeping, (until, next(self._number), who))

    def wake(self, now: float) -> None:
        """Those whose time has come."""
        while self._sleeping and self._sleeping[0][0] <= now:
            woken = heappop(self._sleeping)[2]
            if isinstance(woken, FetchTask):
                self.add(woken)
            else:
                self.open(woken, opened=not woken.stalls)
                self.list(woken)

    def open(self, host: Host[FetchTask], *, opened: bool) -> None:
        """Whether a host may take tasks soon."""
        if opened is not host.open:
            host.open = opened
            self.ahead += len(host.waiting) if opened else -len(host.waiting)
        if opened:
            self.list(host)

    def within(self, seconds: float, now: float) -> float:
        """So many seconds, or until somebody's time has come."""
        return min(seconds, max(0.0, self._sleeping[0][0] - now)) if self._sleeping else seconds

    def look(self, transfers: Iterable[tuple[FetchTask, int]], now: float) -> None:
        """Which of the ``transfers`` (with bytes received) hardly move?"""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for task, received in transfers:
            if received and task.answered is None:
                task.answered = now
            if received - task.received >= SLOW * LOOK_SECONDS:
                task.moved_at = now
            task.received = received
            still = now - task.moved_at >= max(LOOK_SECONDS, self.of(task).patience)
            if still is not task.still:
                self._judge(task, still, now)

    def _judge(self, task: FetchTask, still: bool, now: float) -> None:
        host, task.still = self.of(task), still
        self.still += 1 if still else -1
        host.still += 1 if still else -1
        self._prove(host, well=not still)
        if still:
            host.patience, host.still_until = 0.0, now + STILL_PAUSE
            self.sleep(host.still_until, host)

    def ended(self, task: FetchTask, now: float, *, well: bool) -> None:
        """A transfer is over; ``well`` with an answer."""
        host = self.of(task)
        host.busy -= 1
        host.still -= task.still
        self.still -= task.still
        if well:
            took = (now if task.answered is None else task.answered) - task.asked
            host.patience = max(min(USUAL * took, MOST_USUAL), host.patience * 0.9)
            self._prove(host, well=True)
        self.list(host)

    def _prove(self, host: Host[FetchTask], *, well: bool) -> None:
        if well:
            host.still_until = 0.0
        if well is host.stalls or not host.proven:
            host.proven, host.stalls = well, not well
            self.open(host, opened=well)
