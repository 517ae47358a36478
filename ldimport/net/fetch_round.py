"""One call of ``Fetcher.fetch_many``: which source is worked on when, and what becomes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.model import Limits
from ldimport.net.exchange import Answer
from ldimport.net.guard import Guard
from ldimport.net.hosts import Hosts
from ldimport.net.lookups import Found, Lookups, Place
from ldimport.net.task import Fetched, NotFetched, Outcome, Source, Task
from ldimport.net.transfers import Transfers
from ldimport.net.verdict import (
    REDIRECTS,
    backoff,
    conditions,
    image_body,
    refused_status,
    retry_after,
)
from ldimport.url import join

AHEAD = 4
"""Sources taken for each that may be under way: when one host is busy, others may have room."""
PATIENCE = 0.2
"""Seconds after which ``stop`` is asked again."""
LOOKUP_PAUSE = 0.005
"""Seconds between looks at names being resolved while transfers run."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a Fetcher keeps from one round to the next."""

    limits: Limits
    guard: Guard
    concurrency: int
    transfers: Transfers[Task]
    hosts: Hosts
    lookups: Lookups
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    now: Callable[[], float]
    chance: Callable[[], float]


class Round:
    """Tasks wait in one of four places: ``ready`` to begin, ``later`` (a retry, a resting host),
    ``crowded`` until their host has room, ``named`` until their host is resolved."""

    def __init__(self, tools: Tools, sources: Iterator[Source], stop: Callable[[], bool]) -> None:
        self._tools = tools
        self._limits = tools.limits
        self._sources: Iterator[Source] | None = sources
        self._stop = stop
        self._open = 0
        self._ready: deque[Task] = deque()
        self._later: list[tuple[float, int, Task]] = []
        self._crowded: dict[str, deque[Task]] = {}
        self._named: dict[Place, list[Task]] = {}
        self._numbers = count()
        self._outcomes: deque[Outcome] = deque()

    def outcomes(self) -> Iterator[Outcome]:
        """Work until every source has come out or ``stop`` says so."""
        while not self._stop():
            self._begin_what_fits()
            moved = False
            for task, answer in self._tools.transfers.ended():
                self._ended(task, answer)
                moved = True
            while self._outcomes:
                yield self._outcomes.popleft()
                moved = True
            if not self._open and self._sources is None:
                return
            if not moved:
                self._wait()

    # -- what to do next ----------------------------------------------------------------

    def _begin_what_fits(self) -> None:
        tools = self._tools
        if len(tools.lookups):
            for place, found in tools.lookups.answers(0):
                self._looked_up(place, found)
        while len(tools.transfers) + len(tools.lookups) < tools.concurrency:
            task = self._next()
            if task is None:
                return
            self._begin(task)

    def _next(self) -> Task | None:
        if self._later and self._later[0][0] <= self._tools.clock():
            return heappop(self._later)[2]
        if self._ready:
            return self._ready.popleft()
        return self._from_the_crowd() or self._pulled()

    def _from_the_crowd(self) -> Task | None:
        """A task whose host has room again."""
        for host, waiting in self._crowded.items():
            if self._tools.hosts.room(host):
                task = waiting.popleft()
                if not waiting:
                    del self._crowded[host]
                return task
        return None

    def _pulled(self) -> Task | None:
        """The next source that can be worked on at all."""
        while self._sources is not None and self._open < AHEAD * self._tools.concurrency:
            source = next(self._sources, None)
            if source is None:
                self._sources = None
                return None
            self._open += 1
            try:
                url = self._tools.guard.parse(source.url)
            except Rejected as rejected:
                self._give_up(source, rejected)
            else:
                return Task(source, url, url)
        return None

    def _wait(self) -> None:
        tools = self._tools
        seconds = PATIENCE
        if self._later:
            seconds = min(seconds, max(0.0, self._later[0][0] - tools.clock()))
        if len(tools.transfers):
            tools.transfers.wait(LOOKUP_PAUSE if len(tools.lookups) else seconds)
        elif len(tools.lookups):
            for place, found in tools.lookups.answers(seconds):
                self._looked_up(place, found)
        else:
            tools.sleep(seconds)

    # -- a task begins ------------------------------------------------------------------

    def _begin(self, task: Task) -> None:
        tools, url = self._tools, task.url
        until = tools.hosts.rests_until(url.host)
        if task.failed is not None and self._hopeless(task):
            self._give_up(task.source, task.failed)
        elif until is not None:
            self._at(until, task)
        elif not tools.hosts.room(url.host):
            self._crowded.setdefault(url.host, deque()).append(task)
        elif (found := tools.lookups.known(url)) is None:
            self._named.setdefault((url.host, url.port), []).append(task)
            tools.lookups.ask(url)
        else:
            self._aimed(task, found)

    def _hopeless(self, task: Task) -> bool:
        """Whether another try is not worth it: no time is left, or another image has meanwhile
        waited for the same host in vain."""
        return self._seconds_left(task) <= 0 or self._tools.hosts.out_of_reach(task.url.host)

    def _looked_up(self, place: Place, found: Found) -> None:
        for task in self._named.pop(place, ()):
            if self._tools.hosts.room(task.url.host):
                self._aimed(task, found)
            else:
                self._crowded.setdefault(task.url.host, deque()).append(task)

    def _aimed(self, task: Task, found: Found) -> None:
        """The address of ``task`` is known, or why there is none: connect, or fail."""
        self._note_start(task)
        if isinstance(found, Rejected):
            return self._failed(task, found)
        tools = self._tools
        tools.hosts.enter(task.url.host)
        source = task.source
        headers = conditions(source.etag, source.last_modified) if source.conditional else ()
        checked = tools.guard.checked(task.url, found)
        tools.transfers.start(task, checked, self._seconds_left(task), headers)
        return None

    def _note_start(self, task: Task) -> None:
        if task.try_begun is not None:  # a redirect goes on with the same try
            return
        task.tries += 1
        task.try_begun = self._tools.clock()
        if task.begun is None:
            task.begun = task.try_begun

    def _seconds_left(self, task: Task) -> float:
        """How long the try under way, or the next one, may take."""
        now = self._tools.clock()
        seconds = self._limits.fetch_seconds
        if task.try_begun is not None:
            seconds = task.try_begun + seconds - now
        if task.begun is not None:
            seconds = min(seconds, task.begun + self._limits.tries_seconds - now)
        return seconds

    # -- a task has an answer -----------------------------------------------------------

    def _ended(self, task: Task, answer: Answer | Rejected) -> None:
        hosts, host = self._tools.hosts, task.url.host
        hosts.leave(host)
        if isinstance(answer, Rejected):
            return self._failed(task, answer)
        hosts.reached(host)
        try:
            self._answered(task, answer)
        except Rejected as rejected:
            self._failed(task, rejected, retry_after(answer.headers, self._tools.now()))
        return None

    def _answered(self, task: Task, answer: Answer) -> None:
        status, headers = answer.status, answer.headers
        if status in REDIRECTS:
            return self._redirected(task, headers.get("location", ""), status)
        not_modified = status == 304 and task.source.conditional
        if status != 200 and not not_modified:
            raise refused_status(status)
        body = b"" if not_modified else image_body(answer, self._limits.max_bytes)
        fetched = Fetched(
            source=task.source,
            body=body,
            final_url=task.url.text,
            content_type=headers.get("content-type"),
            etag=headers.get("etag"),
            last_modified=headers.get("last-modified"),
            not_modified=not_modified,
        )
        self._out(fetched)
        return None

    def _redirected(self, task: Task, location: str, status: int) -> None:
        if not location:
            raise Rejected(Cause.BAD_REDIRECT, f"origin answered {status} without saying where to")
        if task.hops >= self._limits.redirects:
            raise Rejected(Cause.TOO_MANY_REDIRECTS, "origin redirects on and on")
        task.hops += 1
        task.url = self._tools.guard.parse(join(task.url, location.encode("latin-1")))
        self._ready.appendleft(task)

    def _failed(self, task: Task, rejected: Rejected, wanted: float | None = None) -> None:
        """Try again later if that may help, else give up. ``wanted`` is the wait in seconds that
        the origin asked for."""
        tools, host = self._tools, task.url.host
        if wanted is not None and rejected.retryable:
            tools.hosts.rest(host, wanted)
        tries = 1 if tools.hosts.out_of_reach(host) else self._limits.tries
        if rejected.retryable and task.tries < tries:
            at = tools.clock() + (wanted or 0.0)
            at += backoff(task.tries, tools.chance()) if wanted is None else 0.0
            if at < (task.begun or 0.0) + self._limits.tries_seconds:
                task.fail(rejected)
                return self._at(at, task)
        if rejected.why.cause in _OUT_OF_REACH:
            tools.hosts.lost(host)
        return self._give_up(task.source, _with_hops(rejected, task.hops))

    def _at(self, when: float, task: Task) -> None:
        heappush(self._later, (when, next(self._numbers), task))

    def _give_up(self, source: Source, rejected: Rejected) -> None:
        rejected.__traceback__ = None  # its frames hold what was read of the body
        self._out(NotFetched(source, rejected))

    def _out(self, outcome: Outcome) -> None:
        self._open -= 1
        self._outcomes.append(outcome)


_OUT_OF_REACH = frozenset((Cause.UNREACHABLE, Cause.DNS))


def _with_hops(rejected: Rejected, hops: int) -> Rejected:
    if not hops:
        return rejected
    what = "1 redirect" if hops == 1 else f"{hops} redirects"
    return Rejected(rejected.why, f"{rejected.reason} (after {what})")
