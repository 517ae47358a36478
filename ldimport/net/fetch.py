"""From URLs to bytes under limits: many at once, guarded, with retries for what may pass.

One thread drives all transfers. Sources are taken as they can be worked on, results come as they
are ready; every source ends in its bytes or in one reason that a person can act on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from random import random
from typing import Any

from ldimport import retry_after
from ldimport.causes import Cause
from ldimport.closing import Closing
from ldimport.errors import Rejected
from ldimport.model import Limits
from ldimport.net import answers
from ldimport.net.answers import Fetched, FetchOutcome, FetchSource, NotFetched
from ldimport.net.certificates import trusted_roots
from ldimport.net.exchange import USER_AGENT, Answer, Exchange, OpenSocket, Transfers
from ldimport.net.guard import Guard
from ldimport.net.hosts import Found, HostPort, Hosts, Lookups
from ldimport.url import Url, join

__all__ = ["FetchSource", "Fetched", "Fetcher", "NotFetched"]

AHEAD = 4
"""Sources taken for each that may be under way: when one host is busy, others may have room."""
PATIENCE = 0.2
"""Seconds after which ``stop`` is asked again."""
LOOKUP_PAUSE = 0.005
"""Seconds between looks at names being resolved while transfers run."""

_ACCEPT = "Accept: image/png, image/jpeg, image/gif, image/svg+xml, */*;q=0.1"
_OUT_OF_REACH = frozenset((Cause.UNREACHABLE, Cause.DNS))


@dataclass
class Fetcher(Closing):
    """Fetches through ``guard`` within ``limits``, at most ``concurrency`` transfers at a time
    and ``limits.per_host`` with one host. Keeps connections and looked-up names between calls;
    for one thread. ``ca_file`` names the root certificates to trust instead of the system's;
    ``user_agent`` is what we are called; ``hold`` is told the tag of the source whose URL or answer
    is being read (None: none).

    ``clock`` (monotonic), ``now`` (Unix seconds), ``sleep``, ``chance`` (0 to 1) and
    ``open_socket`` are the world outside, for tests to replace. Raises ConfigError if ``ca_file``
    is not there.
    """

    limits: Limits
    guard: Guard
    _: KW_ONLY
    concurrency: int = 16
    ca_file: str | None = None
    user_agent: str = USER_AGENT
    hold: Callable[[Any], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    chance: Callable[[], float] = random
    open_socket: OpenSocket | None = None

    def __post_init__(self) -> None:
        make = partial(
            Exchange,
            roots=trusted_roots(self.ca_file),
            headers=(_ACCEPT,),
            max_bytes=self.limits.max_bytes,
            screen=answers.screen_image,
            user_agent=self.user_agent,
            open_socket=self.open_socket,
        )
        self.transfers: Transfers[FetchTask] = Transfers(make)
        self.hosts = Hosts()
        self.lookups = Lookups(self.guard, self.clock)
        self._under_way = False

    def fetch_many(
        self, sources: Iterable[FetchSource], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[FetchOutcome]:
        """Fetch ``sources``, which are taken a few ahead; each comes out once, in the order in
        which they end. ``stop`` is asked several times a second: once it says True, what is
        under way is broken off and the sources that have not come out were not fetched.

        Raises RuntimeError if an earlier call has not come to its end.
        """
        if self._under_way:
            raise RuntimeError("a Fetcher carries out one fetch_many at a time")
        self._under_way = True
        try:
            yield from _Round(self, iter(sources), stop).outcomes()
        finally:
            self.transfers.abandon()
            for host in self.hosts.values():
                host.busy = 0
            self._under_way = False

    def close(self) -> None:
        """Close all connections. May be called twice."""
        self.transfers.close()


@dataclass(slots=True)
class FetchTask:
    """A source under way. ``url`` is where it stands now, ``hops`` redirects behind its own URL;
    it rests until ``at``; ``begun`` and ``try_begun`` are clock times of the first try and of the
    one under way; ``failed`` is what became of the last one. ``cookies`` that a redirect set live
    for this try, each for the origin that it came from alone."""

    source: FetchSource
    origin: Url
    url: Url
    at: float = 0.0
    hops: int = 0
    tries: int = 0
    begun: float | None = None
    try_begun: float | None = None
    failed: Rejected | None = None
    cookies: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def place(self) -> HostPort:
        """Where it wants to go."""
        return self.url.host, self.url.port

    def begin(self, now: float) -> None:
        """A try begins, unless a redirect goes on with the same one."""
        if self.try_begun is None:
            self.tries += 1
            self.try_begun = now
            self.begun = now if self.begun is None else self.begun

    def fail(self, rejected: Rejected, until: float) -> None:
        """A try came to nothing; the next one starts from the source's own URL."""
        self.failed = rejected
        self.at = until
        self.url = self.origin
        self.hops = 0
        self.try_begun = None
        self.cookies.clear()


@dataclass(slots=True)
class _Round:
    """One call of ``fetch_many``. ``_waiting`` are the few tasks that are not under way: for their
    time, for room at their host, or for its address."""

    _fetcher: Fetcher
    _sources: Iterator[FetchSource] | None
    _stop: Callable[[], bool]
    _open: int = 0
    _waiting: deque[FetchTask] = field(default_factory=deque)
    _outcomes: deque[FetchOutcome] = field(default_factory=deque)

    def outcomes(self) -> Iterator[FetchOutcome]:
        """Work until every source has come out or ``stop`` says so."""
        while not self._stop():
            self._begin_what_fits()
            moved = False
            for task, answer in self._fetcher.transfers.ended():
                self._fetcher.hold(task.source.tag)
                self._ended(task, answer)
                self._fetcher.hold(None)
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
        if len(self._fetcher.lookups):
            self._look_up(0)
        waiting, self._waiting = self._waiting, deque()
        while len(self._fetcher.transfers) + len(self._fetcher.lookups) < self._fetcher.concurrency:
            task = waiting.popleft() if waiting else self._pulled()
            if task is None:
                break
            if not self._begun(task):
                self._waiting.append(task)
        self._waiting.extend(waiting)

    def _pulled(self) -> FetchTask | None:
        """The next source that can be worked on at all."""
        while self._sources is not None and self._open < AHEAD * self._fetcher.concurrency:
            source = next(self._sources, None)
            if source is None:
                self._sources = None
                return None
            self._open += 1
            self._fetcher.hold(source.tag)
            try:
                url = self._fetcher.guard.parse(source.url)
            except Rejected as rejected:
                self._give_up(source, rejected)
            else:
                return FetchTask(source, url, url)
            finally:
                self._fetcher.hold(None)
        return None

    def _wait(self) -> None:
        now = self._fetcher.clock()
        seconds = min([PATIENCE, *(task.at - now for task in self._waiting if task.at > now)])
        if len(self._fetcher.transfers):
            self._fetcher.transfers.wait(LOOKUP_PAUSE if len(self._fetcher.lookups) else seconds)
        elif len(self._fetcher.lookups):
            self._look_up(seconds)
        else:
            self._fetcher.sleep(seconds)

    def _look_up(self, seconds: float) -> None:
        """Take the names that are resolved, or are within ``seconds``; what is found is known from
        now on, what is not fails all that wait for it."""
        for place, found in self._fetcher.lookups.answers(seconds):
            if isinstance(found, Rejected):
                now = self._fetcher.clock()
                for task in [t for t in self._waiting if t.place == place and t.at <= now]:
                    self._waiting.remove(task)
                    self._aim(task, found)

    # -- a task begins ------------------------------------------------------------------

    def _begun(self, task: FetchTask) -> bool:
        """Whether a task needs to wait no longer: it is under way, or given up."""
        host, now = self._fetcher.hosts[task.url.host], self._fetcher.clock()
        if task.at > now:
            return False
        in_vain = self._seconds_left(task) <= 0 or host.out_of_reach  # another image waited for it
        if task.failed is not None and in_vain:
            self._give_up(task.source, task.failed)
            return True
        task.at = host.rests_until
        if task.at > now or host.busy >= self._fetcher.limits.per_host:
            return False
        found = self._fetcher.lookups.known(task.url)
        if found is None:
            self._fetcher.lookups.ask(task.url)
            return False
        self._aim(task, found)
        return True

    def _aim(self, task: FetchTask, found: Found) -> None:
        """The address of ``task`` is known, or why there is none: connect, or fail."""
        task.begin(self._fetcher.clock())
        if isinstance(found, Rejected):
            return self._failed(task, found)
        self._fetcher.hosts[task.url.host].busy += 1
        checked = self._fetcher.guard.checked(task.url, found)
        cookies = task.cookies.get(task.url.origin, ())
        self._fetcher.transfers.start(
            task, checked, self._seconds_left(task), task.source.conditions, cookies
        )
        return None

    def _seconds_left(self, task: FetchTask) -> float:
        """How long the try under way, or the next one, may take."""
        now = self._fetcher.clock()
        seconds = self._fetcher.limits.fetch_seconds
        if task.try_begun is not None:
            seconds = task.try_begun + seconds - now
        if task.begun is not None:
            seconds = min(seconds, task.begun + self._fetcher.limits.tries_seconds - now)
        return seconds

    # -- a task has an answer -----------------------------------------------------------

    def _ended(self, task: FetchTask, answer: Answer | Rejected) -> None:
        host = self._fetcher.hosts[task.url.host]
        host.busy -= 1
        if isinstance(answer, Rejected):
            return self._failed(task, answer)
        host.out_of_reach = False
        try:
            if answer.status in answers.REDIRECTS:
                self._redirected(task, answer)
            else:
                most, agent = self._fetcher.limits.max_bytes, self._fetcher.user_agent
                self._out(answers.fetched(task.source, answer, most, agent))
        except Rejected as rejected:
            told = answer.headers.get("retry-after")
            wait = retry_after.seconds(told, self._fetcher.now(), answers.MAX_RETRY_AFTER)
            self._failed(task, rejected, wait)
        return None

    def _redirected(self, task: FetchTask, answer: Answer) -> None:
        location = answer.headers.get("location", "")
        if not location:
            reason = f"origin answered {answer.status} without saying where to"
            raise Rejected(Cause.BAD_REDIRECT, reason)
        if task.hops >= self._fetcher.limits.redirects:
            raise Rejected(Cause.TOO_MANY_REDIRECTS, "origin redirects on and on")
        task.hops += 1
        task.cookies[task.url.origin] = answer.cookies
        task.url = self._fetcher.guard.parse(join(task.url, location.encode("latin-1")))
        self._waiting.appendleft(task)

    def _failed(self, task: FetchTask, rejected: Rejected, wanted: float | None = None) -> None:
        """Try again later if that may help, else give up. ``wanted`` is the wait in seconds that
        the origin asked for."""
        host, now = self._fetcher.hosts[task.url.host], self._fetcher.clock()
        if wanted is not None and rejected.retryable:
            host.rests_until = max(host.rests_until, now + wanted)
        tries = 1 if host.out_of_reach else self._fetcher.limits.tries
        if rejected.retryable and task.tries < tries:
            wait = answers.backoff(task.tries, self._fetcher.chance()) if wanted is None else wanted
            at = now + wait
            if at < (task.begun or 0.0) + self._fetcher.limits.tries_seconds:
                task.fail(rejected, at)
                return self._waiting.append(task)
        if rejected.why.cause in _OUT_OF_REACH:
            host.out_of_reach = True
        if task.hops:
            what = "1 redirect" if task.hops == 1 else f"{task.hops} redirects"
            rejected = Rejected(rejected.why, f"{rejected.reason} (after {what})")
        return self._give_up(task.source, rejected)

    def _give_up(self, source: FetchSource, rejected: Rejected) -> None:
        rejected.__traceback__ = None  # its frames hold what was read of the body
        self._out(NotFetched(source, rejected))

    def _out(self, outcome: FetchOutcome) -> None:
        self._open -= 1
        self._outcomes.append(outcome)
