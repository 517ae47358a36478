"""Which addresses may be reached, and what may be allowed by name."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hostile_urls import BLOCKED
from hypothesis import given
from hypothesis import strategies as st
from web_origin import Names, check_url

from ldimport.errors import Rejected, UsageError
from ldimport.net.guard import NETWORKS, Guard, parse_allow_host, read_networks, why_blocked

PUBLIC = "93.184.216.34"


def rejected(guard: Guard, url: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        check_url(guard, url)
    return caught.value


# -- the table ------------------------------------------------------------------------------


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_is_blocked_exactly_if_a_network_of_the_table_holds_it(
    address: IPv4Address | IPv6Address,
) -> None:
    held = any(address in ip_network(network) for network in NETWORKS)
    assert bool(why_blocked(str(address))) == held


@pytest.mark.parametrize("network", NETWORKS)
def test_first_and_last_address_of_a_network_are_blocked(network: str) -> None:
    found = ip_network(network)
    assert why_blocked(str(found[0]))
    assert why_blocked(str(found[-1]))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_always_blocked(inner: IPv4Address) -> None:
    number = int(inner)
    nat64 = int(ip_address("64:ff9b::"))
    forms = (number, 0xFFFF << 32 | number, nat64 | number, 0x2002 << 112 | number << 80)
    assert all(why_blocked(str(IPv6Address(form))) for form in forms)


NO_ADDRESSES = (
    *("", "localhost", "1.2.3", "127.1", "0x7f.1", "2130706433", "8.8.8.8/32", "8.8.8.08"),
    *("2606:4700::1%eth0", "[2606:4700::1]", " 8.8.8.8", "8.8.8.8\n"),
)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_not_an_address_is_blocked(text: str) -> None:
    assert why_blocked(text)


# -- NAT64 ----------------------------------------------------------------------------------

# RFC 6052 2.4: 192.0.2.33 under a prefix of each length
RFC_6052 = {
    "2001:db8::/32": "2001:db8:c000:221::",
    "2001:db8:100::/40": "2001:db8:1c0:2:21::",
    "2001:db8:122::/48": "2001:db8:122:c000:2:2100::",
    "2001:db8:122:300::/56": "2001:db8:122:3c0:0:221::",
    "2001:db8:122:344::/64": "2001:db8:122:344:c0:2:2100:0",
    "2001:db8:122:344::/96": "2001:db8:122:344::192.0.2.33",
}
INSIDE = int(IPv4Address("192.0.2.33"))


def carrying(prefix: str, inner: str) -> str:
    """An IPv4 address in place of the one of the RFC's example."""
    example = ip_address(RFC_6052[prefix]).packed
    places = [n for n in range(int(prefix.partition("/")[2]) // 8, 16) if n != 8][:4]
    assert bytes(example[n] for n in places) == INSIDE.to_bytes(4, "big")
    octets = dict(zip(places, IPv4Address(inner).packed, strict=True))
    return str(IPv6Address(bytes(octets.get(n, example[n]) for n in range(16))))


def answered(prefix: str, address: str) -> str:
    """What comes of a name that leads there, and of the address in a URL."""
    codes = set()
    for url, names in (("http://photos.test/", [address]), (f"http://[{address}]/", [])):
        guard = Guard([prefix], resolve=Names(photos_test=[names]))
        try:
            found = check_url(guard, url)
            assert found.admits(address, 80) and not found.admits("64:ff9b::a00:1", 80)
            codes.add("allowed")
        except Rejected as error:
            codes.add(error.code)
    (code,) = codes
    return code


@pytest.mark.parametrize("prefix", RFC_6052)
@pytest.mark.parametrize(
    ("inner", "code"),
    [
        *((one, "allowed") for one in ("8.8.8.8", "93.184.216.34", "11.0.0.0")),
        *((one, "address-not-allowed") for one in BLOCKED if "." in one and ":" not in one),
    ],
)
def test_under_a_nat64_prefix_the_address_inside_counts(prefix: str, inner: str, code: str) -> None:
    assert answered(prefix, carrying(prefix, inner)) == code
    if prefix.endswith("/96"):
        for known in ("64:ff9b::/96", "64:ff9b:1::/96"):
            assert answered(known, known.replace("/96", inner)) == code


def test_a_nat64_prefix_allows_nothing_beside_it() -> None:
    names = Names(photos_test=[["64:ff9b::808:808", "10.0.0.1"]])
    guard = Guard(["64:ff9b::/96"], resolve=names)
    assert rejected(guard, "http://photos.test/").code == "address-not-allowed"
    for other in ("64:ff9b:1::808:808", "::ffff:8.8.8.8", "fd00::1"):
        assert rejected(guard, f"http://[{other}]/").code == "address-not-allowed"


# -- names ----------------------------------------------------------------------------------


def test_a_public_name_is_checked_and_comes_with_its_addresses() -> None:
    names = Names(photos_test=[[PUBLIC, "2606:4700::1111"]])
    checked = check_url(Guard(resolve=names), "https://PHOTOS.test/a.jpg#part")
    assert checked.url.text == "https://photos.test/a.jpg"
    assert (checked.url.scheme, checked.url.host, checked.url.port) == ("https", "photos.test", 443)
    assert checked.addresses == (PUBLIC, "2606:4700::1111")
    assert names.asked == ["photos.test"]


@pytest.mark.parametrize(
    "private", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%2"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_name_with_one_blocked_address_is_refused_whole(private: str, first: bool) -> None:
    answer = [private, PUBLIC] if first else [PUBLIC, private]
    guard = Guard(resolve=Names(photos_test=[answer]))
    assert rejected(guard, "http://photos.test/").code == "address-not-allowed"


def test_the_refusal_names_the_option_and_tells_nothing_of_what_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nothing listens here
        reasons = []
        for port in (listening.getsockname()[1], bound.getsockname()[1]):
            found = rejected(Guard(), f"http://127.0.0.1:{port}/photo.png?token=hush")
            assert f"--allow-host 127.0.0.1:{port}" in found.reason
            assert not found.retryable
            reasons.append(found.reason.replace(str(port), "PORT"))
    assert reasons[0] == reasons[1]


def test_a_web_port_needs_no_port_in_the_option() -> None:
    guard = Guard(resolve=Names(intern_test=[["10.0.0.1"]]))
    assert "--allow-host intern.test makes" in rejected(guard, "https://intern.test/a").reason


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 65535])
def test_only_web_ports_are_reached_without_permission(port: int) -> None:
    guard = Guard(resolve=Names(photos_test=[[PUBLIC]]))
    assert rejected(guard, f"http://photos.test:{port}/").code == "address-not-allowed"


def test_an_unknown_name_may_be_known_later() -> None:
    found = rejected(Guard(resolve=Names()), "http://nowhere.test/a.jpg?key=hush")
    assert (found.code, found.retryable) == ("dns", True)
    assert "nowhere.test" in found.reason


def test_a_name_without_any_address_is_not_reached() -> None:
    assert rejected(Guard(resolve=lambda host, port: []), "http://photos.test/").code == "dns"


def test_nobody_is_asked_about_a_literal_address() -> None:
    names = Names()
    assert check_url(Guard(resolve=names), f"http://{PUBLIC}/").addresses == (PUBLIC,)
    assert names.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@photos.test/a?hush",
        "http://photos.test:99999/a?hush",
        "http://10.0.0.1/a?hush",
        "http://nowhere.test/a?hush#hush",
        "ftp://photos.test/a?hush",
        "http://photos.test/a b?hush",
        "http://0x7f.1/?hush",
        "hush",
    ],
)
def test_reasons_never_hold_a_query_or_a_password(url: str) -> None:
    assert "hush" not in rejected(Guard(resolve=Names()), url).reason


# -- exceptions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("photos.test", {("photos.test", 80), ("photos.test", 443)}),
        ("Photos.Test.:8080", {("photos.test", 8080)}),
        ("127.0.0.1:9000", {("127.0.0.1", 9000)}),
        ("[::1]:8080", {("::1", 8080)}),
        ("[0:0::1]", {("::1", 80), ("::1", 443)}),
        ("bücher.test:80", {("xn--bcher-kva.test", 80)}),
        ("64:ff9b::/96", set()),
    ],
)
def test_an_exception_is_read(text: str, pairs: set[tuple[str, int]]) -> None:
    assert set(parse_allow_host(text)) == pairs


NO_EXCEPTIONS = (
    *("", ":80", "a:", "a:0", "a:65536", "a:b", "*", "*.test", "10.0.0.0/8", "http://a", "a,b"),
    *("::1", "u@a", "a b", "0x7f.1", "[fe80::1%25eth0]", "[::1]:", "a/../b", "a?b", "a#b", "a\n"),
    *("64:ff9b::/95", "64:ff9b::1/96", "64:ff9b::", "[64:ff9b::]/96", "fd00::/8", "::/0", "a/96"),
)


@pytest.mark.parametrize("text", NO_EXCEPTIONS)
def test_an_exception_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_allow_host(text)
    assert "HOST:PORT" in caught.value.message
    assert caught.value.hint


def test_a_guard_refuses_an_exception_that_makes_no_sense() -> None:
    with pytest.raises(UsageError):
        Guard(["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("http://127.0.0.1:8080/", True),
        ("http://127.0.0.1:8081/", False),
        ("http://127.0.0.1/", False),
        ("http://127.0.0.2:8080/", False),
        ("http://[::1]:8080/", False),
        ("http://[::ffff:127.0.0.1]:8080/", False),
        ("http://localhost:8080/", False),
        ("http://intern.test/", True),
        ("https://intern.test/", True),
        ("http://intern.test:8080/", False),
        ("http://a.intern.test/", False),
        ("http://intern.test.evil.test/", False),
    ],
)
def test_an_exception_holds_for_exactly_its_host_and_port(url: str, fine: bool) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        return ["10.1.2.3"]

    guard = Guard(["127.0.0.1:8080", "intern.test"], resolve=resolve)
    if fine:
        assert check_url(guard, url).allowed
    else:
        assert rejected(guard, url).code == "address-not-allowed"


@pytest.mark.parametrize(
    "text", ["", "network,reason,source\n10.0.0.0/8,a private network,RFC 1918\n"]
)
def test_a_table_of_networks_that_is_not_whole_lets_nothing_through(text: str) -> None:
    with pytest.raises(ImportError, match="not whole"):
        read_networks(text)
