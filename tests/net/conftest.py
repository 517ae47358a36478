"""Fixtures of the network tests; what they are made of is in ``web_origin``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web_origin import Clock, Make, Origin

from ldimport.model import Limits
from ldimport.net.fetch import Fetcher
from ldimport.net.guard import Guard


@pytest.fixture
def origin() -> Iterator[Origin]:
    found = Origin()
    yield found
    found.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fetcher(origin: Origin, clock: Clock) -> Iterator[Make]:
    """Makes Fetchers that may reach the origin, on a clock that does not wait."""
    made: list[Fetcher] = []

    def make(limits: Limits | None = None, guard: Guard | None = None, **more: object) -> Fetcher:
        settings = {"clock": clock, "sleep": clock.sleep, "chance": lambda: 1.0} | more
        found = Fetcher(
            limits or Limits(fetch_seconds=5.0),
            guard or Guard([origin.place]),
            **settings,  # type: ignore[arg-type]
        )
        made.append(found)
        return found

    yield make
    for one in made:
        one.close()
