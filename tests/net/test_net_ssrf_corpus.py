"""Every URL of the corpus against a whole Fetcher: no socket is asked for a blocked address.

Nothing is resolved and nothing connected: names get their answer from the test, and sockets are
recorded and not opened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from web_origin import Sockets

from ldimport.model import Limits
from ldimport.net.fetch import Fetcher, FetchSource, NotFetched
from ldimport.net.guard import Guard, blocked

PUBLIC = "93.184.216.34"
PRIVATE = ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00::1")


@pytest.fixture(scope="module")
def rows(corpora: Path) -> list[dict[str, Any]]:
    found = (corpora / "ssrf/urls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in found]


def fetch_all(
    rows: list[dict[str, Any]], answer: Sequence[str]
) -> tuple[dict[str, str], set[tuple[str, int]]]:
    """The code of each URL when every name resolves to ``answer``, and the sockets asked for."""
    sockets = Sockets()
    guard = Guard(resolve=lambda host, port: answer)
    with Fetcher(Limits(tries=1), guard, open_socket=sockets) as fetcher:
        outcomes = list(fetcher.fetch_many(FetchSource(row["url"]) for row in rows))
    assert len(outcomes) == len(rows)
    codes = {}
    for outcome in outcomes:
        assert isinstance(outcome, NotFetched)
        codes[outcome.source.url] = outcome.rejected.code
    return codes, set(sockets.asked)


def test_no_socket_is_asked_for_a_blocked_address(rows: list[dict[str, Any]]) -> None:
    codes, asked = fetch_all(rows, [PUBLIC])
    assert len(rows) > 500
    assert {address for address, _ in asked} == {PUBLIC}
    assert {port for _, port in asked} <= {80, 443}
    must_refuse = {"block_ip", "block_scheme", "invalid_or_block"}
    for row in rows:
        if row["expect"] in must_refuse:
            assert codes[row["url"]] in ("bad-url", "address-not-allowed"), row
    assert "unreachable" in codes.values()  # some were tried: the guard does not refuse all


@pytest.mark.parametrize("private", PRIVATE)
def test_no_name_leads_to_a_blocked_address(rows: list[dict[str, Any]], private: str) -> None:
    codes, asked = fetch_all(rows, [PUBLIC, private])
    assert blocked(private)
    assert asked == set()
    assert set(codes.values()) == {"bad-url", "address-not-allowed"}


def test_the_ambiguous_part_of_a_url_is_never_where_a_socket_leads(
    rows: list[dict[str, Any]],
) -> None:
    ambiguous = [row for row in rows if row.get("ambiguous_target")]
    _, asked = fetch_all(ambiguous, [PUBLIC])
    assert ambiguous
    assert {address for address, _ in asked} <= {PUBLIC}
