"""Each route of the misbehaving origin gets the reaction that is listed with it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_origin import Clock, Sockets

from ldimport.model import Limits
from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched
from ldimport.net.guard import Guard

LIMITS = Limits(max_bytes=1_000_000, fetch_seconds=20.0, tries_seconds=1_000.0)
IMPATIENT = Limits(max_bytes=20_000_000, fetch_seconds=0.3, tries_seconds=1_000.0)
"""For routes that take for ever."""
PNG = 69
PASSING = ("500", "502", "503", "504", "507", "599")
PERMANENT = ("400", "401", "403", "404", "410", "416", "418", "501", "204", "206", "304", "999")
ACCEPTED = {
    "/ok.png": PNG,
    "/no_length.png": PNG,
    "/chunked.png": PNG,
    "/length_too_small.png": 20,  # only what was declared; media finds it truncated
    "/redirect_ok": PNG,
    "/redirect_crlf": PNG,  # the rest of the line counts for nothing
    "/status_200_html_error": 15,  # bytes decide; media finds no image in them
    "/type_html.png": PNG,
    "/type_missing.png": PNG,
    "/disposition_traversal.png": PNG,
    "/set_cookie.png": PNG,
    "/flaky": PNG,
    "/changing": 68,
}
"""Route to the number of bytes it gives."""
REFUSED = {
    "/chunked_truncated.png": "incomplete",
    "/chunked_bad_size.png": "bad-http",
    "/chunked_huge_size.png": "incomplete",
    "/length_too_big.png": "incomplete",
    "/length_negative.png": "bad-http",
    "/length_twice.png": "bad-http",
    "/length_declared_10GB.png": "too-many-bytes",
    "/endless": "too-many-bytes",
    "/endless_headers": "bad-http",
    "/huge_header.png": "bad-http",
    "/slow_headers": "timeout",
    "/slow_body": "timeout",
    "/stall_body": "timeout",
    "/never_answer": "timeout",
    "/close_at_once": "connection-lost",
    "/rst_at_once": "connection-lost",
    "/rst_mid_body": "connection-lost",
    "/garbage": "bad-http",
    "/ssh_banner": "bad-http",
    "/http09": "bad-http",
    "/gzip_bomb": "encoded-body",
    "/gzip_ok.png": "encoded-body",
    "/gzip_lie.png": "encoded-body",
    "/gzip_truncated.png": "encoded-body",
    "/encoding_unknown.png": "encoded-body",
    "/redirect_loop": "too-many-redirects",
    "/redirect_chain": "too-many-redirects",
    "/redirect_metadata": "address-not-allowed",
    "/redirect_private": "address-not-allowed",
    "/redirect_loopback6": "address-not-allowed",
    "/redirect_decimal": "bad-url",
    "/redirect_file": "bad-url",
    "/redirect_gopher": "bad-url",
    "/redirect_scheme_relative": "address-not-allowed",
    "/redirect_no_location": "bad-redirect",
    "/redirect_userinfo": "bad-url",
    "/status_429_retry_after": "origin-429",
    "/status_429_retry_after_date": "origin-429",
    "/status_503_retry_after_huge": "origin-503",
    "/status_503_retry_after_bad": "origin-503",
    "/status_text": "bad-http",
    "/continue_flood": "bad-http",
    "/empty.png": "empty",
} | {f"/status_{status}": f"origin-{status}" for status in (*PASSING, *PERMANENT)}
"""Route to the code of its refusal."""
WAITS = {
    "/status_429_retry_after": 6.0,  # twice what it asked for
    "/status_429_retry_after_date": 60.0,  # a date in 2037, capped
    "/status_503_retry_after_huge": 60.0,
    "/status_503_retry_after_bad": 2.5,  # our own backoff
    "/flaky": 2.5,
} | {f"/status_{status}": 2.5 for status in PASSING}
"""Seconds slept between three tries with no luck in the spreading (``chance`` 1)."""


REASONS = {
    "/length_declared_10GB.png": "10,737,418,240 bytes",
    "/endless_headers": "65,536 bytes of headers",
    "/continue_flood": "10 interim answers",
    "/redirect_loop": "after 5 redirects",
    "/redirect_chain": "after 5 redirects",
    "/redirect_metadata": "--allow-host 169.254.169.254",
    "/redirect_userinfo": "user name or password",
}
"""What a person must be told."""


@pytest.fixture(scope="module")
def port(corpora: Path) -> Iterator[int]:
    script = corpora / "http_faults/faultserver.py"
    with subprocess.Popen(
        [sys.executable, str(script), "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().split()[1])
        finally:
            process.kill()


def fetch(port: int, route: str, clock: Clock, sockets: Sockets) -> Fetched | NotFetched:
    with Fetcher(
        IMPATIENT if REFUSED.get(route) == "timeout" else LIMITS,
        Guard([f"127.0.0.1:{port}"]),
        clock=clock,
        sleep=clock.sleep,
        now=time.time,
        chance=lambda: 1.0,
        open_socket=sockets,
    ) as fetcher:
        (outcome,) = fetcher.fetch_many([FetchSource(f"http://127.0.0.1:{port}{route}")])
    return outcome


def test_every_route_has_its_test(port: int) -> None:
    outcome = fetch(port, "/", Clock(), Sockets(real=True))
    assert isinstance(outcome, Fetched)
    assert set(json.loads(outcome.body)) == set(ACCEPTED) | set(REFUSED)


@pytest.mark.parametrize("route", ACCEPTED)
def test_what_is_whole_is_accepted(port: int, route: str, clock: Clock) -> None:
    outcome = fetch(port, route, clock, Sockets(real=True))
    assert isinstance(outcome, Fetched), outcome
    assert len(outcome.body) == ACCEPTED[route]
    assert clock.slept == pytest.approx(WAITS.get(route, 0.0))


@pytest.mark.parametrize("route", REFUSED)
def test_what_is_wrong_is_refused_for_its_own_reason(port: int, route: str, clock: Clock) -> None:
    sockets = Sockets(real=True)
    outcome = fetch(port, route, clock, sockets)
    assert isinstance(outcome, NotFetched), outcome
    rejected = outcome.rejected
    assert rejected.code == REFUSED[route]
    assert rejected.reason
    assert rejected.reason.isprintable()
    assert set(sockets.asked) == {("127.0.0.1", port)}
    passing = route in WAITS or rejected.code in ("incomplete", "connection-lost", "timeout")
    assert rejected.retryable == passing
    assert clock.slept == pytest.approx(WAITS.get(route, 2.5 if passing else 0.0))
    assert REASONS.get(route, "") in rejected.reason
