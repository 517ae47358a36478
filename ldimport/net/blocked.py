"""Which IP addresses may never be reached: one table, each network with its reason.

Taken from the IANA special-purpose registries (RFC 6890 and its updates), the deprecated ranges
they list, and the IPv6 forms that carry an IPv4 address inside. Those forms are refused whole,
also when the address inside is public: nothing on the public internet is served under them.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

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
"""Every blocked network, and what a refusal calls it."""

_TABLE = tuple(
    (network.version, int(network.network_address), int(network.netmask), reason)
    for network, reason in ((ip_network(text), reason) for text, reason in NETWORKS.items())
)


def blocked(address: str) -> bool:
    """Whether ``address`` must not be reached; what is not an IP address is blocked too."""
    return why_blocked(address) is not None


@lru_cache(maxsize=4_096)
def why_blocked(address: str) -> str | None:
    """What kind of blocked network ``address`` belongs to, None if it is public."""
    parsed = _parse(address)
    if parsed is None:
        return "not an IP address"
    number = int(parsed)
    for version, network, mask, reason in _TABLE:
        if version == parsed.version and number & mask == network:
            return reason
    return None


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    if "%" in address:  # a zone names an interface of this machine
        return None
    try:
        return ip_address(address)
    except ValueError:
        return None
