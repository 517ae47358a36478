"""A URL, read once: what is checked is what is fetched.

Two parsers that read one text differently are how guards are tricked (hostile.md case 36), so a
URL is taken apart here alone and handed on in one plain form: lower-case scheme, ASCII host,
port, and a path in which everything unusual is percent-encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, quote_from_bytes, urljoin

import idna

from ldimport.causes import Cause
from ldimport.errors import Rejected

MAX_LENGTH = 8_192
PORTS = {"http": 80, "https": 443}

_REFUSED = re.compile(r"[\x00-\x20\x7f\\]")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*)([^#]*))?")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_PRINTABLE = bytes(range(0x21, 0x7F))
_TO_ENCODE = re.compile(r"[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7a\x7c\x7e]+")


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed http(s) URL. ``host`` is a lower-case ASCII name or an IP address without
    brackets (``literal``); ``text`` is the whole in one plain form, without fragment."""

    scheme: str
    host: str
    port: int
    literal: bool
    text: str

    @property
    def place(self) -> str:
        """Host, and the port where it is not the scheme's own: how ``--allow-host`` takes it."""
        return host_and_port(self.host, self.port, PORTS[self.scheme])


def host_and_port(host: str, port: int, default: int) -> str:
    """``host`` in brackets if it is IPv6, followed by ``:port`` unless that is ``default``."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port == default else f"{shown}:{port}"


def parse(text: str) -> Url:
    """Take a URL apart. Raises Rejected ``bad-url`` that says what is wrong with it, never
    quoting the parts in which secrets travel."""
    if len(text) > MAX_LENGTH:
        raise _bad(f"it is longer than {MAX_LENGTH:,} characters")
    if _REFUSED.search(text):
        raise _bad("it holds a blank, a control character or a backslash (write them as %20 …)")
    found = _URL.match(text)
    if found is None:
        raise _bad("it does not begin with http:// or https://")
    scheme = found[1].lower()
    if scheme not in PORTS:
        raise _bad(f"only http and https are fetched, not {scheme[:20]}")
    if not found[2]:
        raise _bad("it has no host")
    host, port, literal = _authority(found[2], PORTS[scheme])
    shown = host_and_port(host, port, PORTS[scheme])
    return Url(scheme, host, port, literal, f"{scheme}://{shown}{_path(found[3])}")


def join(base: Url, location: bytes) -> str:
    """The URL that a ``Location`` header means, seen from ``base``.

    Headers in the wild hold raw UTF-8 or Latin-1 and blanks; these are percent-encoded, since
    that is all they can mean. Raises Rejected ``bad-url``."""
    if _CONTROL.search(location):
        raise _bad("it holds a control character")
    encoded = quote_from_bytes(location.strip(), safe=_PRINTABLE)
    try:
        return urljoin(base.text, encoded)
    except ValueError as error:  # urllib's own refusal of half an IPv6 address
        raise _bad("its host is not valid") from error


@lru_cache(maxsize=1_024)
def _authority(text: str, default_port: int) -> tuple[str, int, bool]:
    if "@" in text:
        raise _bad("it holds a user name or password before the host")
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None:
        raise _bad("its host or port is not valid")
    port = int(found[2]) if found[2] else default_port
    if not 0 < port < 65_536:
        raise _bad("its port is not between 1 and 65535")
    host, literal = read_host(found[1])
    return host, port, literal


def read_host(text: str) -> tuple[str, bool]:
    """A host as it stands in a URL, in its one form, and whether it is an IP address.

    Numbers in disguise (``0x7f.1``, ``2130706433``, ``127.1``) are refused: resolvers take them
    for addresses, people do not. Raises Rejected ``bad-url``."""
    if text.startswith("["):
        return _ipv6(text[1:-1]), True
    name = _ascii(text).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(name), True
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise _bad("its host is not a valid name")
    return name, False


def _ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError as error:  # idna's own errors are of this kind
        raise _bad("its host is not a valid international name") from error


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError as error:
        raise _bad("its host is a number, but not an address of the form 93.184.216.34") from error


def _ipv6(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError("a zone names an interface of this machine")
        return str(IPv6Address(text))
    except ValueError as error:
        raise _bad("its host is not a valid IPv6 address") from error


def _path(text: str) -> str:
    if _TO_ENCODE.search(text):
        try:
            text = _TO_ENCODE.sub(lambda found: quote(found[0], safe=""), text)
        except UnicodeEncodeError as error:
            raise _bad("it is not valid Unicode") from error
    return text if text.startswith("/") else f"/{text}"


def _bad(why: str) -> Rejected:
    return Rejected(Cause.BAD_URL, f"the URL cannot be used: {why}")
