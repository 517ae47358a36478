"""From URLs to bytes under limits: many at once, guarded, with retries for what may pass.

One thread drives all transfers. Sources are taken as they can be worked on, results come as they
are ready; every source ends in its bytes or in one reason that a person can act on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from random import random
from types import TracebackType

from ldimport.model import Limits
from ldimport.net.exchange import (
    USER_AGENT,
    Exchange,
    OpenSocket,
    open_plain_socket,
    trusted_roots,
)
from ldimport.net.fetch_round import Round, Tools
from ldimport.net.guard import Guard
from ldimport.net.hosts import Hosts
from ldimport.net.lookups import Lookups
from ldimport.net.post import PostAnswer, post
from ldimport.net.task import Fetched, NotFetched, Outcome, Source, Task
from ldimport.net.transfers import Transfers
from ldimport.net.verdict import screen_images

__all__ = ["Fetched", "Fetcher", "NotFetched", "PostAnswer", "Source", "post"]

_ACCEPT = "Accept: image/png, image/jpeg, image/gif, image/svg+xml, */*;q=0.1"


def never() -> bool:
    """The default of ``stop``: go on to the end."""
    return False


class Fetcher:
    """Fetches through ``guard`` within ``limits``, at most ``concurrency`` transfers at a time
    and ``limits.per_host`` with one host. Keeps connections and looked-up names between calls;
    for one thread. ``ca_file`` names the root certificates to trust instead of the system's.

    ``clock`` (monotonic), ``now`` (Unix seconds), ``sleep``, ``chance`` (0 to 1) and
    ``open_socket`` are the world outside, for tests to replace. Raises ConfigError if ``ca_file``
    is not there.
    """

    def __init__(
        self,
        limits: Limits,
        guard: Guard,
        *,
        concurrency: int = 16,
        user_agent: str = USER_AGENT,
        ca_file: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random,
        open_socket: OpenSocket = open_plain_socket,
    ) -> None:
        roots = trusted_roots(ca_file)

        def make() -> Exchange:
            return Exchange(
                user_agent=user_agent,
                ca_file=roots,
                headers=(_ACCEPT,),
                max_bytes=limits.max_bytes,
                screen=screen_images(limits.max_bytes),
                open_socket=open_socket,
            )

        self._transfers: Transfers[Task] = Transfers(make)
        self._tools = Tools(
            limits=limits,
            guard=guard,
            concurrency=concurrency,
            transfers=self._transfers,
            hosts=Hosts(limits.per_host, clock),
            lookups=Lookups(guard, clock),
            sleep=sleep,
            clock=clock,
            now=now,
            chance=chance,
        )
        self._under_way = False

    def fetch_many(
        self, sources: Iterable[Source], stop: Callable[[], bool] = never
    ) -> Iterator[Outcome]:
        """Fetch ``sources``, which are taken a few ahead; each comes out once, in the order in
        which they end. ``stop`` is asked several times a second: once it says True, what is
        under way is broken off and the sources that have not come out were not fetched.

        Raises RuntimeError if an earlier call has not come to its end.
        """
        if self._under_way:
            raise RuntimeError("a Fetcher carries out one fetch_many at a time")
        self._under_way = True
        try:
            yield from Round(self._tools, iter(sources), stop).outcomes()
        finally:
            self._transfers.abandon()
            self._tools.hosts.leave_all()
            self._under_way = False

    def fetch(self, source: Source) -> Fetched:
        """Fetch one source. Raises Rejected when it is given up."""
        (outcome,) = self.fetch_many([source])
        if isinstance(outcome, NotFetched):
            raise outcome.rejected
        return outcome

    def close(self) -> None:
        """Close all connections. May be called twice."""
        self._transfers.close()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
