"""Where the engine may connect to: public web addresses, and what was allowed by name.

A URL is read once, its name resolved once, every address of the answer checked; the connection is
made to a checked address alone. A name with one blocked address is refused whole.
"""

import csv
import re
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import resources
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import NamedTuple

from ldimport.causes import Cause
from ldimport.errors import Rejected, UsageError
from ldimport.system import start_thread
from ldimport.url import Url, parse

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError (``socket.gaierror``) when there are none. Called
from several threads."""

WEB_PORTS = (80, 443)
_COUNT = 31
RESOLVE_SECONDS, MOST_RESOLVED = 3.0, 50
_WHY = re.compile(r"\((.*)\); --allow-host ")
_KIND = re.compile(r" \(it leads to [^()]*\)")


def read_networks(text: str) -> dict[IPv4Network | IPv6Network, str]:
    """The blocked networks of a table, each with what a refusal calls it. Raises ImportError for a
    table that is not whole: what it lacks would be let through."""
    found = {ip_network(row["network"]): row["reason"] for row in csv.DictReader(text.splitlines())}
    if len(found) != _COUNT:
        raise ImportError("the table of blocked networks is not whole: install ldimport again")
    return found


NETWORKS = read_networks(resources.files(__package__).joinpath("networks.csv").read_text("utf-8"))
"""Every blocked network, and what a refusal calls it: the IANA special-purpose registries (RFC 6890
and its updates), the deprecated ranges they list, and the IPv6 forms that carry an IPv4 address
inside. Those are refused whole, also when the address inside is public: nothing on the public
internet is served under them, but for NAT64 prefixes where there is one, which only who runs us
can know (``nat64_prefix``)."""
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class CheckedAddress(NamedTuple):
    """A URL that may be fetched, and the addresses (IP texts) to connect to for it. ``allowed``
    tells that its host and port were allowed by name and may be private."""

    url: Url
    addresses: tuple[str, ...]
    allowed: bool
    nat64: tuple[IPv6Network, ...] = ()

    def admits(self, address: str, port: int) -> bool:
        """Whether a socket may be opened to ``address``: one of those checked, not blocked."""
        return (
            port == self.url.port
            and _canonical(address) in map(_canonical, self.addresses)
            and (self.allowed or why_blocked(address, self.nat64) is None)
        )


@lru_cache(maxsize=4_096)
def why_blocked(address: str, nat64: tuple[IPv6Network, ...] = ()) -> str | None:
    """What kind of blocked network ``address`` belongs to, None if it is public; what is not an IP
    address is blocked too. Under a prefix of ``nat64`` the IPv4 address inside is what counts."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an IP address"
    if "%" in address:  # a zone names an interface of this machine
        return "not an IP address"
    inside = [_inside(parsed, each) for each in nat64 if parsed in each]
    judged = inside or (parsed,)
    found = (why for network, why in NETWORKS.items() if any(each in network for each in judged))
    return next(found, None)


def nat64_prefix(text: str) -> IPv6Network | None:
    """A NAT64 prefix (RFC 6052 2.2): ``64:ff9b::/96``, or the network's own; None for what is
    none."""
    try:
        found = IPv6Network(text)
    except ValueError:
        return None
    return found if found.prefixlen in (32, 40, 48, 56, 64, 96) and "/" in text else None


def _inside(address: IPv4Address | IPv6Address, prefix: IPv6Network) -> IPv4Address:
    """The IPv4 address after a NAT64 prefix; the ninth octet is never part of it (RFC 6052 2.2)."""
    places = [n for n in range(prefix.prefixlen // 8, 16) if n != 8]
    return IPv4Address(bytes(address.packed[n] for n in places[:4]))


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address of ``host`` in the system's own order. Raises ``socket.gaierror``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse_allow_host(text: str) -> tuple[tuple[str, int], ...]:
    """Read ``HOST[:PORT]`` (``[::1]:8080``) into host and port pairs; without a port it means 80
    and 443. A NAT64 prefix names no host. Raises UsageError for anything else, lists, wildcards
    and other networks included."""
    if nat64_prefix(text):
        return ()
    try:
        if text.endswith(":") or set(text) & set("/?#@"):
            raise Rejected(Cause.BAD_URL, "not a host")
        url = parse(f"http://{text}/")
    except Rejected as error:
        text = f"--allow-host {text!r} is not of the form HOST or HOST:PORT"
        hint = "Name one host exactly, for example photos.example, 10.0.0.5:8080 or [::1]:8080."
        raise UsageError(text, hint=hint) from error
    ports = (url.port,) if ":" in text.rpartition("]")[2] else WEB_PORTS
    return tuple((url.host, port) for port in ports)


class Guard:
    """Decides which URLs may be fetched. ``allow_hosts`` are exceptions (``HOST[:PORT]``, exact),
    also as the target of a redirect; under a NAT64 prefix among them, public IPv4 addresses are
    reached as if by themselves. Raises UsageError if one of them makes no sense."""

    def __init__(
        self, allow_hosts: Iterable[str] = (), *, resolve: Resolver = system_resolver
    ) -> None:
        texts = tuple(allow_hosts)
        self._allowed = frozenset(pair for text in texts for pair in parse_allow_host(text))
        self._nat64 = tuple(filter(None, map(nat64_prefix, texts)))
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
        if why := next(filter(None, (why_blocked(each, self._nat64) for each in found)), None):
            raise refusal(url, f"it leads to {why}")
        return found

    def checked(self, url: Url, addresses: tuple[str, ...]) -> CheckedAddress:
        """Join a parsed URL with what ``addresses`` said about its host and port."""
        return CheckedAddress(url, addresses, self.allows(url), self._nat64)

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


def refused_places(
    guard: Guard, places: Iterable[str], seconds: float = RESOLVE_SECONDS
) -> dict[str, str]:
    """Of these hosts (``HOST`` or ``HOST:PORT``) those that ``guard`` does not allow, with the
    reason. Names are resolved side by side, so many seconds in all; of what is not known by then,
    or has no address, nothing is said."""
    found: dict[str, str] = {}

    def look(place: str) -> None:
        try:
            guard.addresses(guard.parse(f"http://{place}/"))
        except Rejected as error:
            if error.why.cause is Cause.ADDRESS_NOT_ALLOWED:
                said = _WHY.search(str(error))
                found[place] = said[1] if said else str(error)

    asked = list(islice(filter(None, places), MOST_RESOLVED))
    threads = [start_thread(look, place) for place in asked]
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    return {place: found[place] for place in asked if place in found}


def _canonical(address: str) -> str:
    """One spelling of an IP address; what is none stays as it is, and is blocked."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def without_kind(reason: str) -> str:
    """A refusal as strangers may read it: the kind of network that a name leads to is a map of
    what lies inside."""
    return _KIND.sub("", reason)


def refusal(url: Url, why: str) -> Rejected:
    """The answer for an address that is not allowed. It is given before anything is connected,
    so it tells nothing about what listens there."""
    place = url.place
    text = f"address not allowed: {place} ({why}); --allow-host {place} makes an exception"
    return Rejected(Cause.ADDRESS_NOT_ALLOWED, text)
