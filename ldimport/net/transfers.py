"""Exchanges under way at the same time, on one CurlMulti with its cache of connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import pycurl

from ldimport.errors import Rejected
from ldimport.net.exchange import Answer, Exchange
from ldimport.net.guard import Checked

Owner = TypeVar("Owner")


class Transfers(Generic[Owner]):
    """Begins exchanges and hands back each with its owner. ``make`` builds an Exchange; those
    that ended are used again, and so are their connections, each for its own host alone."""

    def __init__(self, make: Callable[[], Exchange]) -> None:
        self._make = make
        self._multi = pycurl.CurlMulti()
        self._idle: list[Exchange] = []
        self._active: dict[pycurl.Curl, tuple[Owner, Exchange]] = {}

    def __len__(self) -> int:
        """Exchanges under way."""
        return len(self._active)

    def start(
        self, owner: Owner, checked: Checked, seconds: float, headers: Sequence[str] = ()
    ) -> None:
        """Begin a GET of ``checked`` for ``owner``, to be over within ``seconds``."""
        exchange = self._idle.pop() if self._idle else self._make()
        exchange.begin(checked, seconds, headers)
        self._active[exchange.curl] = (owner, exchange)
        self._multi.add_handle(exchange.curl)

    def wait(self, seconds: float) -> None:
        """Sleep until something can be done, at most ``seconds``."""
        own = self._multi.timeout()  # libcurl's next deadline in milliseconds, -1 for none
        self._multi.select(seconds if own < 0 else min(seconds, own / 1_000))

    def ended(self) -> Iterator[tuple[Owner, Answer | Rejected]]:
        """Move all exchanges on and give those that are over."""
        self._multi.perform()
        _, done, failed = self._multi.info_read()
        for curl in done:
            yield self._end(curl)
        for curl, error, text in failed:
            yield self._end(curl, error, text)

    def abandon(self) -> None:
        """Break off everything that is under way."""
        for curl in list(self._active):
            _, exchange = self._active.pop(curl)
            self._multi.remove_handle(curl)
            exchange.drop()
            self._idle.append(exchange)

    def close(self) -> None:
        """Break off everything and close all connections."""
        self.abandon()
        while self._idle:
            self._idle.pop().close()
        self._multi.close()

    def _end(
        self, curl: pycurl.Curl, error: int = 0, text: str = ""
    ) -> tuple[Owner, Answer | Rejected]:
        owner, exchange = self._active.pop(curl)
        self._multi.remove_handle(curl)
        self._idle.append(exchange)
        try:
            return owner, exchange.end(error, text)
        except Rejected as rejected:
            return owner, rejected
