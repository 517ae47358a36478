"""No URL makes a whole Fetcher ask for a socket to a blocked address.

Nothing is resolved and nothing connected: names get their answer from the test, and sockets are
recorded and not opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile_urls import ALLOWED, BLOCKED, NAMES, PUBLIC, carried, urls
from web_origin import Sockets

from ldimport.model import Limits
from ldimport.net.fetch import Fetcher, FetchSource, NotFetched
from ldimport.net.guard import Guard, why_blocked

REFUSED = {"bad-url", "address-not-allowed"}


def fetch_all(
    urls: Iterable[str], answer: Sequence[str]
) -> tuple[Mapping[str, str], set[tuple[str, int]]]:
    """The code of each URL when every name resolves to ``answer``, and the sockets asked for."""
    sockets = Sockets()
    guard = Guard(resolve=lambda host, port: answer)
    with Fetcher(Limits(tries=1), guard, open_socket=sockets) as fetcher:
        outcomes = list(fetcher.fetch_many(map(FetchSource, urls)))
    codes = {}
    for outcome in outcomes:
        assert isinstance(outcome, NotFetched)
        codes[outcome.source.url] = outcome.rejected.code
    return codes, set(sockets.asked)


# -- addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("address", BLOCKED)
def test_an_address_of_the_table_is_blocked(address: str) -> None:
    assert why_blocked(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_an_address_beside_a_blocked_network_is_not(address: str) -> None:
    assert not why_blocked(address)


@pytest.mark.parametrize("inner", [PUBLIC, *(one for one in BLOCKED if "." in one)])
def test_an_address_that_carries_another_is_blocked(inner: str) -> None:
    assert all(map(why_blocked, carried(inner)))


# -- URLs -----------------------------------------------------------------------------------


def test_no_trick_leads_to_the_address_it_hides() -> None:
    tricks = urls()
    codes, asked = fetch_all(tricks, [PUBLIC])
    assert len(codes) == len(tricks) > 4_000
    assert {address for address, _ in asked} <= {PUBLIC}
    assert {port for _, port in asked} <= {80, 443}
    tried = [url for url, code in codes.items() if code not in REFUSED]
    assert all("public.test" in url.partition("#")[0] or "?" in url for url in tried), tried[:9]


def test_names_are_reached_where_their_resolver_says() -> None:
    codes, asked = fetch_all(NAMES, [PUBLIC])
    assert set(codes.values()) == {"unreachable"}  # the guard does not refuse all
    assert asked == {(PUBLIC, 80), (PUBLIC, 443)}


@pytest.mark.parametrize("private", BLOCKED)
def test_no_name_leads_to_a_blocked_address(private: str) -> None:
    codes, asked = fetch_all(NAMES, [PUBLIC, private])
    assert set(codes.values()) == {"address-not-allowed"}
    assert asked == set()


# -- what others have collected -----------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(corpora: Path) -> list[dict[str, Any]]:
    found = (corpora / "ssrf/urls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in found]


def test_no_url_of_the_corpus_leads_to_a_blocked_address(rows: list[dict[str, Any]]) -> None:
    codes, asked = fetch_all((row["url"] for row in rows), [PUBLIC])
    assert len(rows) > 500
    assert {address for address, _ in asked} == {PUBLIC}
    assert {port for _, port in asked} <= {80, 443}
    must_refuse = {"block_ip", "block_scheme", "invalid_or_block"}
    wrong = [r for r in rows if r["expect"] in must_refuse and codes[r["url"]] not in REFUSED]
    assert wrong == []
    _, asked = fetch_all((row["url"] for row in rows), [PUBLIC, "fd00::1"])
    assert asked == set()


def test_no_address_of_the_corpus_is_judged_wrong(corpora: Path) -> None:
    wanted = json.loads((corpora / "ssrf/blocked_networks.json").read_text())
    assert all(why_blocked(network.partition("/")[0]) for network in wanted)
    rows = [json.loads(line) for line in (corpora / "ssrf/ips.jsonl").read_text().splitlines()]
    wrong = [row for row in rows if bool(why_blocked(row["ip"])) != (row["expect"] == "block")]
    assert wrong == []
