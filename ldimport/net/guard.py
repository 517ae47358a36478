"""Where the engine may connect to: public web addresses, and what was allowed by name.

A URL is read once, its name resolved once, and every address of the answer checked against the
block table; the connection is then made to a checked address and to nothing else. A name with
one blocked address is refused whole.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from ldimport.causes import Cause
from ldimport.errors import Rejected, UsageError
from ldimport.url import Url, parse

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError (``socket.gaierror``) when there are none. Called
from several threads."""

WEB_PORTS = (80, 443)
NETWORKS = {
    "0.0.0.0/8": "this machine",  # RFC 1122; Linux connects 0.0.0.0 to itself
    "10.0.0.0/8": "a private network",  # RFC 1918
    "100.64.0.0/10": "a carrier's shared network",  # RFC 6598; a cloud's metadata lives here too
    "127.0.0.0/8": "this machine",  # RFC 1122
    "168.63.129.16/32": "a cloud's own service",  # Azure's host agent, seen by every machine there
    "169.254.0.0/16": "the local link",  # RFC 3927; the metadata service of most clouds
    "172.16.0.0/12": "a private network",  # RFC 1918
    "192.0.0.0/24": "a protocol's own network",  # RFC 6890
    "192.0.2.0/24": "a documentation network",  # RFC 5737
    "192.88.99.0/24": "a 6to4 relay",  # RFC 7526
    "192.168.0.0/16": "a private network",  # RFC 1918
    "198.18.0.0/15": "a benchmarking network",  # RFC 2544
    "198.51.100.0/24": "a documentation network",  # RFC 5737
    "203.0.113.0/24": "a documentation network",  # RFC 5737
    "224.0.0.0/4": "a multicast group",  # RFC 5771
    "240.0.0.0/4": "a reserved network",  # RFC 1112; 255.255.255.255 is broadcast
    "::/96": "this machine or an embedded IPv4 address",  # RFC 4291: ::, ::1, IPv4-compatible
    "::ffff:0:0/96": "an embedded IPv4 address",  # RFC 4291: IPv4-mapped
    "::ffff:0:0:0/96": "an embedded IPv4 address",  # RFC 2765: IPv4-translated
    "64:ff9b::/96": "an embedded IPv4 address",  # RFC 6052: NAT64
    "64:ff9b:1::/48": "an embedded IPv4 address",  # RFC 8215: local NAT64
    "100::/64": "a discard network",  # RFC 6666
    "2001::/23": "a protocol's own network",  # RFC 2928: Teredo, ORCHID, benchmarking
    "2001:db8::/32": "a documentation network",  # RFC 3849
    "2002::/16": "an embedded IPv4 address",  # RFC 3056: 6to4
    "3fff::/20": "a documentation network",  # RFC 9637
    "5f00::/16": "a routing network",  # RFC 9602
    "fc00::/7": "a private network",  # RFC 4193
    "fe80::/10": "the local link",  # RFC 4291
    "fec0::/10": "a private network",  # RFC 3879
    "ff00::/8": "a multicast group",  # RFC 4291
}
"""Every blocked network, and what a refusal calls it: the IANA special-purpose registries (RFC 6890
and its updates), the deprecated ranges they list, and the IPv6 forms that carry an IPv4 address
inside. Those are refused whole, also when the address inside is public: nothing on the public
internet is served under them."""
_TABLE = tuple((ip_network(text), reason) for text, reason in NETWORKS.items())


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """A URL that may be fetched, and the addresses (IP texts) to connect to for it. ``allowed``
    tells that its host and port were allowed by name and may be private."""

    url: Url
    addresses: tuple[str, ...]
    allowed: bool

    def admits(self, address: str, port: int) -> bool:
        """Whether a socket may be opened to ``address``: one of those checked, not blocked."""
        return (
            port == self.url.port
            and _canonical(address) in map(_canonical, self.addresses)
            and (self.allowed or why_blocked(address) is None)
        )


@lru_cache(maxsize=4_096)
def why_blocked(address: str) -> str | None:
    """What kind of blocked network ``address`` belongs to, None if it is public; what is not an IP
    address is blocked too."""
    try:
        if "%" in address:
            raise ValueError("a zone names an interface of this machine")
        parsed = ip_address(address)
    except ValueError:
        return "not an IP address"
    return next((reason for network, reason in _TABLE if parsed in network), None)


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address of ``host`` in the system's own order. Raises ``socket.gaierror``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse_allow_host(text: str) -> tuple[tuple[str, int], ...]:
    """Read ``HOST[:PORT]`` (``[::1]:8080``) into host and port pairs; without a port it means 80
    and 443. Raises UsageError for anything else, lists and wildcards included."""
    try:
        if text.endswith(":") or set(text) & set("/?#@"):
            raise Rejected(Cause.BAD_URL, "not a host")
        url = parse(f"http://{text}/")
    except Rejected as error:
        raise UsageError(
            f"--allow-host {text!r} is not of the form HOST or HOST:PORT",
            hint="Name one host exactly, for example photos.example, 10.0.0.5:8080 or [::1]:8080.",
        ) from error
    named = text.rpartition("]")[2].partition(":")[2]
    ports = (url.port,) if named else WEB_PORTS
    return tuple((url.host, port) for port in ports)


class Guard:
    """Decides which URLs may be fetched. ``allow_hosts`` are exceptions (``HOST[:PORT]``, exact),
    also as the target of a redirect. Raises UsageError if one of them makes no sense."""

    def __init__(
        self, allow_hosts: Iterable[str] = (), *, resolve: Resolver = system_resolver
    ) -> None:
        self._allowed = frozenset(pair for text in allow_hosts for pair in parse_allow_host(text))
        self._resolve = resolve

    def parse(self, url: str) -> Url:
        """Everything that can be said about ``url`` without asking a resolver: its form, and
        whether its port may be used. Raises Rejected."""
        parsed = parse(url)
        if parsed.port not in WEB_PORTS and not self.allows(parsed):
            raise refusal(parsed, f"port {parsed.port} is not a web port")
        return parsed

    def allows(self, url: Url) -> bool:
        """Whether host and port of ``url`` were allowed by name."""
        return (url.host, url.port) in self._allowed

    def addresses(self, url: Url) -> tuple[str, ...]:
        """The addresses to connect to for ``url``, all of them checked. Raises Rejected."""
        found = (url.host,) if url.literal else self._resolved(url)
        if self.allows(url):
            return found
        for address in found:
            why = why_blocked(address)
            if why is not None:
                raise refusal(url, f"it leads to {why}")
        return found

    def checked(self, url: Url, addresses: tuple[str, ...]) -> CheckedAddress:
        """Join a parsed URL with what ``addresses`` said about its host and port."""
        return CheckedAddress(url, addresses, self.allows(url))

    def _resolved(self, url: Url) -> tuple[str, ...]:
        try:
            found = tuple(map(_canonical, self._resolve(url.host, url.port)))
        except OSError as error:
            unknown = isinstance(error, socket.gaierror) and error.errno in _UNKNOWN
            what = "is unknown" if unknown else "could not be resolved"
            raise Rejected(Cause.DNS, f"the name {url.host} {what} (DNS)") from error
        if not found:
            raise Rejected(Cause.DNS, f"the name {url.host} has no address (DNS)")
        return found


def _canonical(address: str) -> str:
    """One spelling of an IP address; what is none stays as it is, and is blocked."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def refusal(url: Url, why: str) -> Rejected:
    """The answer for an address that is not allowed. It is given before anything is connected,
    so it tells nothing about what listens there."""
    place = url.place
    return Rejected(
        Cause.ADDRESS_NOT_ALLOWED,
        f"address not allowed: {place} ({why}); --allow-host {place} makes an exception",
    )
