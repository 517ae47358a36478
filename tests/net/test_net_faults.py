"""Whatever an origin does, a fetch ends: in the bytes, or in a reason of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from fault_origin import FAULTS, Fault, FaultOrigin
from web_origin import Clock, Sockets

from ldimport.model import Limits
from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched
from ldimport.net.guard import Guard

LIMITS = Limits(max_bytes=1_000_000, fetch_seconds=20.0, tries_seconds=1_000.0)
IMPATIENT = Limits(fetch_seconds=0.3, tries=1)
"""For routes that take for ever."""


@pytest.fixture(scope="module")
def origin() -> Iterator[FaultOrigin]:
    found = FaultOrigin()
    yield found
    found.close()


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_own_reaction(origin: FaultOrigin, clock: Clock, name: str) -> None:
    fault, sockets = FAULTS[name], Sockets(real=True)
    with Fetcher(
        IMPATIENT if fault.expected == "timeout" else LIMITS,
        Guard([f"127.0.0.1:{origin.port}"]),
        clock=clock,
        sleep=clock.sleep,
        now=time.time,
        chance=lambda: 1.0,
        open_socket=sockets,
    ) as fetcher:
        (outcome,) = fetcher.fetch_many([FetchSource(f"http://127.0.0.1:{origin.port}/{name}")])
    if isinstance(outcome, Fetched):
        assert len(outcome.body) == fault.expected
    else:
        check_refusal(fault, outcome)
    assert clock.slept == pytest.approx(fault.waits)
    assert set(sockets.asked) == {("127.0.0.1", origin.port)}


def check_refusal(fault: Fault, outcome: NotFetched) -> None:
    rejected = outcome.rejected
    assert rejected.code == fault.expected
    assert rejected.reason.isprintable()
    assert fault.says in rejected.reason
    assert rejected.retryable == (fault.waits > 0 or rejected.code == "timeout")
