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
from pathlib import Path
from random import random
from typing import Any

from ldimport import retry_after
from ldimport.causes import Cause
from ldimport.closing import Closing
from ldimport.errors import Rejected
from ldimport.model import Limits
from ldimport.net import answers
from ldimport.net.answers import Fetched, FetchOutcome, FetchSource, NotFetched, Postponed
from ldimport.net.body import Shelf
from ldimport.net.certificates import trusted_roots
from ldimport.net.exchange import USER_AGENT, Answer, Exchange, OpenSocket, Transfers
from ldimport.net.guard import Guard
from ldimport.net.hosts import Found, Host, Hosts, Lookups
from ldimport.net.turns import FetchTask, Turns
from ldimport.url import join

__all__ = ["FetchSource", "Fetched", "Fetcher", "NotFetched", "Postponed"]

AHEAD = 4
"""Sources taken for each that may be under way: when one host is busy, others may have room."""
STILL_AHEAD = 4
"""Sources that wait at a host which stalls, for each that may be under way there."""
MOST_VAIN = 1_000
"""So many sources in a row are given back for that; then none is taken for a second."""
MOST_STILL = 16
"""So many times as much may be under way, and wait, where hosts stall."""
PATIENCE = 0.1
"""Seconds after which ``stop`` is asked again."""
LOOKUP_PAUSE = 0.005
"""Seconds between looks at names being resolved while transfers run."""

_ACCEPT = "Accept: image/png, image/jpeg, image/gif, image/svg+xml, */*;q=0.1"
_OUT_OF_REACH = frozenset((Cause.UNREACHABLE, Cause.DNS))


@dataclass
class Fetcher(Closing):
    """Fetches through ``guard`` within ``limits``, at most ``concurrency`` transfers at a time
    that move, and ``limits.per_host`` with one host. Keeps connections and looked-up names between
    calls; for one thread. ``ca_file`` names the root certificates to trust instead of the system's;
    ``user_agent`` is what we are called; ``scratch`` is a folder for large bodies under way;
    ``hold`` is told the tag of the source whose URL or answer is being read (None: none).

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
    scratch: Path | None = None
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
            shelf=Shelf(self.scratch),
        )
        self.transfers: Transfers[FetchTask] = Transfers(make)
        self.hosts: Hosts[FetchTask] = Hosts()
        self.lookups = Lookups(self.guard, self.clock)
        self._under_way = False

    def fetch_many(
        self, sources: Iterable[FetchSource | None], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[FetchOutcome]:
        """Fetch ``sources``, which are taken a few ahead; each comes out once, in the order in
        which they end. A None says that there is none for the moment: it ends here if nothing is
        under way, else more is asked for soon. ``stop`` is asked several times a second: once it
        says True, what is under way is broken off and the sources that have not come out were not
        fetched.

        Raises RuntimeError if an earlier call has not come to its end.
        """
        if self._under_way:
            raise RuntimeError("a Fetcher carries out one fetch_many at a time")
        self._under_way = True
        try:
            yield from _Round(self, iter(sources), stop, Turns(self.hosts)).outcomes()
        finally:
            self.transfers.abandon()
            for host in self.hosts.values():
                host.idle()
            self._under_way = False

    def close(self) -> None:
        """Close all connections. May be called twice."""
        self.transfers.close()


@dataclass(slots=True)
class _Round:
    """One call of ``fetch_many``."""

    _fetcher: Fetcher
    _sources: Iterator[FetchSource | None]
    _stop: Callable[[], bool]
    _turns: Turns
    _open: int = 0
    _dry: bool = False
    """Whether there was no source when one was asked for last."""
    _vain: int = 0
    _pull_at: float = float("-inf")
    _outcomes: deque[FetchOutcome] = field(default_factory=deque)

    def outcomes(self) -> Iterator[FetchOutcome]:
        """Work until every source has come out or ``stop`` says so."""
        hold = self._fetcher.hold
        while not self._stop():
            self._begin_what_fits()
            moved = False
            for task, answer in self._fetcher.transfers.ended():
                hold(task.source.tag)
                self._ended(task, answer)
                hold(None)
                moved = True
                while self._outcomes:  # at once: nobody else's bytes are kept meanwhile
                    yield self._outcomes.popleft()
            while self._outcomes:
                yield self._outcomes.popleft()
                moved = True
            if self._dry and not self._open:
                return
            if not moved:
                self._wait()

    # -- what to do next ----------------------------------------------------------------

    def _begin_what_fits(self) -> None:
        now = self._fetcher.clock()
        if len(self._fetcher.lookups):
            self._look_up(0)
        self._turns.wake(now)
        self._turns.look(self._fetcher.transfers.received(), now)
        while self._slots():
            if host := self._turns.next():
                self._begin_at(host, now)
            elif not self._pulled(now):
                return

    def _slots(self) -> bool:
        """Whether something may begin. What stalls keeps nobody else from it."""
        under_way, most = len(self._fetcher.transfers), self._fetcher.concurrency
        moving = under_way - self._turns.still + len(self._fetcher.lookups)
        return moving < most and under_way < MOST_STILL * most

    def _pulled(self, now: float) -> bool:
        """Take the next source, if there may be one more."""
        most = AHEAD * self._fetcher.concurrency
        if self._turns.ahead >= most or self._open >= MOST_STILL * most or now < self._pull_at:
            return False
        source = next(self._sources, None)
        self._dry = source is None
        if source is None:
            return False
        self._open += 1
        self._fetcher.hold(source.tag)
        try:
            url = self._fetcher.guard.parse(source.url)
        except Rejected as rejected:
            self._give_up(source, rejected)
        else:
            task = FetchTask(source, url, url)
            if self._turns.crowd(task) < STILL_AHEAD * self._fetcher.limits.per_host:
                self._turns.add(task)
                self._vain = 0
            else:
                self._postpone(source, now)
        finally:
            self._fetcher.hold(None)
        return True

    def _postpone(self, source: FetchSource, now: float) -> None:
        self._out(Postponed(source))
        self._vain += 1
        if self._vain >= MOST_VAIN:
            self._vain, self._pull_at = 0, now + 1.0

    def _wait(self) -> None:
        seconds = self._turns.within(PATIENCE, self._fetcher.clock())
        if len(self._fetcher.transfers):
            self._fetcher.transfers.wait(LOOKUP_PAUSE if len(self._fetcher.lookups) else seconds)
        elif len(self._fetcher.lookups):
            self._look_up(seconds)
        else:
            self._fetcher.sleep(seconds)

    def _look_up(self, seconds: float) -> None:
        """Take the names that are resolved, or are within ``seconds``; what is found is known from
        now on, what is not fails all that wait for it."""
        for (name, port), found in self._fetcher.lookups.answers(seconds):
            host = self._fetcher.hosts[name]
            if isinstance(found, Rejected):
                for task in [each for each in host.waiting if each.url.port == port]:
                    self._turns.take(task)
                    self._aim(task, found)
            self._turns.open(host, opened=not host.stalls)

    # -- a task begins ------------------------------------------------------------------

    def _begin_at(self, host: Host[FetchTask], now: float) -> None:
        """Begin the first task of a host, or give it up. Where there is no room, no address or a
        rest to keep, its turn comes again when that has changed."""
        if not host.waiting:
            return None
        task = host.waiting[0]
        failed = task.failed
        if failed and (host.out_of_reach or self._seconds_left(task, now) <= 0):
            self._turns.take(task)  # another image waited for it
            self._give_up(task.source, failed)
        elif (until := max(host.rests_until, host.still_until)) > now:
            return self._turns.sleep(until, host)
        elif not host.room(self._fetcher.limits.per_host):
            return None
        elif (found := self._fetcher.lookups.known(task.url)) is None:
            self._fetcher.lookups.ask(task.url)
            return self._turns.open(host, opened=False)
        else:
            self._turns.take(task)
            self._aim(task, found)
        return self._turns.list(host)

    def _aim(self, task: FetchTask, found: Found) -> None:
        """The address of ``task`` is known, or why there is none: connect, or fail."""
        now = self._fetcher.clock()
        task.begin(now)
        if isinstance(found, Rejected):
            return self._failed(task, found)
        self._turns.of(task).busy += 1
        checked = self._fetcher.guard.checked(task.url, found)
        cookies = task.cookies.get(task.url.origin, ()) if task.cookies else ()
        self._fetcher.transfers.start(
            task, checked, self._seconds_left(task, now), task.source.conditions, cookies
        )
        return None

    def _seconds_left(self, task: FetchTask, now: float) -> float:
        """How long the try under way, or the next one, may take."""
        seconds = self._fetcher.limits.fetch_seconds
        if task.try_begun is not None:
            seconds = task.try_begun + seconds - now
        if task.begun is not None:
            seconds = min(seconds, task.begun + self._fetcher.limits.tries_seconds - now)
        return seconds

    # -- a task has an answer -----------------------------------------------------------

    def _ended(self, task: FetchTask, answer: Answer | Rejected) -> None:
        well = not isinstance(answer, Rejected)
        self._turns.ended(task, self._fetcher.clock(), well=well)
        if isinstance(answer, Rejected):
            return self._failed(task, answer)
        self._turns.of(task).out_of_reach = False
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
        self._turns.add(task, first=True)

    def _failed(self, task: FetchTask, rejected: Rejected, wanted: float | None = None) -> None:
        """Try again later if that may help, else give up. ``wanted`` is the wait in seconds that
        the origin asked for."""
        host, now = self._turns.of(task), self._fetcher.clock()
        if wanted is not None and rejected.retryable:
            host.rests_until = max(host.rests_until, now + wanted)
        tries = 1 if host.out_of_reach else self._fetcher.limits.tries
        if rejected.retryable and task.tries < tries:
            wait = answers.backoff(task.tries, self._fetcher.chance()) if wanted is None else wanted
            if now + wait < (task.begun or 0.0) + self._fetcher.limits.tries_seconds:
                task.fail(rejected)
                return self._turns.sleep(now + wait, task)
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
