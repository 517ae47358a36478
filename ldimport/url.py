"""URLs: taken apart here and nowhere else, so that what is checked is what is fetched.

Two readers that understand one text differently are how guards are tricked. ``is_http_url`` asks
for the form (RFC 3986), which is what a request must have; ``parse`` also for a host that means
one thing only, and hands it on in one plain form: lower-case scheme, ASCII host, port, and a path
in which everything unusual is percent-encoded.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote, quote_from_bytes, unquote, urljoin

from ldimport.causes import Cause
from ldimport.errors import Rejected

MAX_LENGTH = 8_192
PORTS = {"http": 80, "https": 443}
PLAIN_PLACE = r"https?://(?=[^/:]{1,253}[/:])(?:(?!-)[a-z0-9-]{1,63}+(?<!-)\.)++[a-z]{2,63}+(?::[1-9]\d{1,3})?+"
"""Start of a URL that means what it says; nearly all are like this. For a pattern of more."""

_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[1-9][0-9]{0,3})?(?:/[!-\[\]-~]*)?")
_REFUSED = re.compile(r"[\x00-\x20\x7f\\]")
_SIGNS = {" ": "a blank", "\\": "a backslash", "\t": "a tab", "\n": "a line break"}
_NOT_IN_PATH = re.compile(r"[\x00-\x1f\x7f\\]")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*)([^#]*))?")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]\ud800-\udfff]*)(?::([0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
"""What resolvers and browsers take (RFC 1123 has no hyphen at the ends)."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_PRINTABLE = bytes(range(0x21, 0x7F))
_TO_ENCODE = re.compile(r"[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7a\x7c\x7e]+")
_PARAMETER = re.compile(
    r"([?&;#/])([^=&;#?/\s\"<>“”]{1,80})=(?!…)([^&#;?\s\"<>“”\\]+(?<![:,.)'])"
    r"(?: (?=[\w+/]{0,40}\d)[\w+/]{8,}+={0,2}(?=[&\s\"”#,]|$))*)"  # its + was read as a blank
)
_CUT_OFF = re.compile(r"(=…)[;?][^&#\s\"<>“”\\]*(?<![:,.)'])")  # of a value that held one of these
_USERINFO = re.compile(
    r"(?i)([\\/]{2}|(?<=http:)[\\/]?|(?<=https:)[\\/]?"
    r"|(?<![\w/.@:-])(?!mailto:)(?=[\w.~+-]{1,64}:(?!…@)[^\s/@:\"'<>]{1,64}@[\w\[]))"
    r"(?:[^ /?#\"<>]*"
    r"|[^ /?#@\[\"<>]{1,256}:(?!\d*(?:[/?#\s\"'”]|$))[^@]{0,256}(?:@[^\s@/\"]{0,256})?)@"
)
_IN_PATH = re.compile(
    r"(?i)(//(?:[\w-]{1,63}\.)*(?:web)?hooks?\.[^/\s\"<>]{1,253}/|/(?:web)?hooks?(?:b\d)?/)"
    r"(?=[^\s\"<>?#]{0,200}\d)[^\s\"<>“”?#]{8,}(?<![:,.)'])"
    r"|(/bot\d+:|/(?:key|token|secret|sig|signature|auth)/|/s--(?=[\w-]{8,32}--/)"
    r"|/p/(?=[\w-]{20,}/n/)|//(?:hc-ping\.com|nosnch\.in)/"
    r"|/(?:ping|push|heartbeats?)/(?=[a-z_-]*\d)(?=[\w-]{16,}(?:[/?#\s\"”]|$)))[^\s/\"<>“”?#]+"
    r"|(\b)eyJ[\w-]{2,2000}+\.[\w-]{2,8000}+\.[\w-]*+"
)
"""Addresses of webhooks (Slack, Discord, Teams …), bots, heartbeats; signed pictures of Cloudinary
and requests of Oracle's store; JWTs."""
_SECRET = re.compile(
    r"(?i)(?:x-(?:amz|goog|oss|obs|ms|tos|bce|cos)-.+|q-.*(?:sign|ak|time).*|goog.*id|.*key|.*key-?id"
    r"|.*(?:token|secret|passw|signature|credential|session|sess_?id|api[_-]?key|accessid|hmac|jwt"
    r"|saml|assertion|csrf|xsrf|verif|bearer|expir).*|.*pass(?:phrase|code)?|.*auth2?|auth[_-].*"
    r"|.*key-?pair-?id|.*sigs?|(?:.*[_-])?sign(?:[_-].*|ed.*)?|pwd|psw|pw|pin|[ht]?otp|policy|.*ticket"
    r"|.*nonce|digest|hash|md5|sha\d+|checksum|auth(?:orization|n|z)|hdn(?:ea|ts|tl)|__gda__|sas|sid"
    r"|v?mac|creds?|sess|secure|code|tk|tok|tkn|sgn|ak|sk|akid|exp|(?:ws|tx)(?:secret|time)|ik-[st]|oe|oh|hm"
    r"|se|st|sp|spr|sv|sr|ss|srt|sip|sks|skt|ske|skv|skoid|sktid|saoid|suoid|scid|sdd)(?:\[\w*\])?"
)
"""Signatures and what is signed with them, at AWS, CloudFront, Google, Azure (``se`` to ``sdd``),
Alibaba, Tencent, Akamai, Facebook and Discord; keys, passwords and tokens by whatever name."""
_OPAQUE = re.compile(r"(?=[^\d]*\d)[\w~-]{16,}")
_SPELLED = re.compile(
    r"(?i)(?:%(?:25)*+|(?<!\\)\\++(?:u00|x))(?!20|22|3c|3e|7f)([2-7][0-9a-f])|(?<!\\)\\++(?=/)"
)
"""A sign as URLs within URLs, JSON and ``repr`` spell it."""
_PASTED = re.compile(r"/api/(v[0-9]+|beta|20[0-9]{2}-[0-9]{2})(/|$)")


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed http(s) URL. ``host`` is a lower-case ASCII name or an IP address without
    brackets; ``rest`` are path and query, percent-encoded; a fragment is left out."""

    scheme: str
    user: str | None
    host: str
    port: int
    rest: str

    @property
    def literal(self) -> bool:
        """Whether the host is an IP address."""
        return _is_address(self.host)

    @property
    def place(self) -> str:
        """Host, and the port where it is not the scheme's own: how ``--allow-host`` takes it."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454)."""
        return f"{self.scheme}://{self.place}"

    @property
    def text(self) -> str:
        """The whole in one plain form."""
        return f"{self.origin}{self.rest}"


def parse(text: str) -> Url:
    """Take a URL apart. Raises Rejected ``bad-url`` that says what is wrong with it, never
    quoting the parts in which secrets travel."""
    url = _split(text)
    if url.user is not None:
        raise _bad("it holds a user name or password before the host")
    host = _host(url.host)
    return url if host == url.host else replace(url, host=host)


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


def is_http_url(text: str) -> bool:
    """Whether this has the form of an absolute http(s) URL with a host (RFC 3986)."""
    if _PLAIN.fullmatch(text):  # taking them all apart to say so would be most of the work
        return len(text) <= MAX_LENGTH
    return _parts(text) is not None


def holds_user(url: str) -> bool:
    """Whether a user name or password stands before the host."""
    parts = _parts(url)
    return parts is not None and parts.user is not None


def is_relative(text: str) -> bool:
    """Whether this is a relative path, as a manifest beside its images has it: no scheme, no
    leading slash or drive, no control characters or backslashes."""
    head = text.split("/", 1)[0]
    return bool(head) and ":" not in head and not _NOT_IN_PATH.search(text)


def host_of(url: str) -> str:
    """Host and, where it is not the scheme's own, port: how screens name a server. Empty for
    what is no http(s) URL."""
    end = url.find("/", len("https://"))
    if end < 0 or url.startswith("//", end) or not url.isascii() or len(url) > MAX_LENGTH:
        parts = _parts(url)
        return parts.place if parts else ""
    return "" if _REFUSED.search(url, end) else _place_of(url[:end])


@lru_cache(maxsize=1_024)
def _place_of(url: str) -> str:
    """``host_of`` what has no path."""
    parts = _parts(url)
    return parts.place if parts else ""


def origin_of(url: str) -> str:
    """Scheme, host and port of an http(s) URL."""
    return f"{url.partition(':')[0].lower()}://{host_of(url)}"


def without_secrets(text: str) -> str:
    """What may be shown of a URL, or of a sentence with URLs in it: user names, passwords and the
    values of parameters that sign or let in are left out (``?w=200&sig=…``), the rest is kept."""
    shown = _masked(text)
    if "%" in shown or "\\" in shown:
        plain = _SPELLED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", shown)
        if (inner := _masked(plain)) != plain:
            return inner
    return shown


def _masked(text: str) -> str:
    if "=" in text:
        text = _CUT_OFF.sub(r"\1", _PARAMETER.sub(_parameter, text))
    if "@" in text:
        text = _USERINFO.sub(r"\1…@", text)
    return _IN_PATH.sub(r"\1\2\3…", text)


def _parameter(found: re.Match[str]) -> str:
    """A parameter as it may be shown. Names of one letter or two mean many things."""
    start, name, value = found.groups()
    short = len(name) < 3 and name != "id" and _OPAQUE.fullmatch(value)
    return f"{start}{name}=…" if short or _SECRET.fullmatch(unquote(name).strip()) else found[0]


def is_loopback(url: str) -> bool:
    """Whether the host is this machine, by name or literal address; nothing is resolved."""
    parts = _parts(url)
    name = parts.host if parts else ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def server_url(text: str) -> str:
    """One form for every spelling of a server's base URL: no slash at the end, host in lower
    case, no default port. It may carry a path (an editor's ``/proxy/api``). Raises ValueError
    that says what is wrong, without quoting secrets."""
    parts = _parts(text)
    if parts is None:
        raise ValueError("must be an http or https URL such as https://server.livingdocs.io")
    if parts.user is not None:
        raise ValueError("must not contain a user name or password")
    if "?" in text or "#" in text:
        raise ValueError("must not contain a ? or # part")
    path = text.split("://", 1)[1].partition("/")[2].rstrip("/")
    if _PASTED.search(f"/{path}"):
        raise ValueError("must be given without the /api/<version> part, which is added to it")
    return f"{parts.scheme}://{parts.place}{path and '/'}{path}"


def endpoint(base: str, version: str, path: str) -> str:
    """The full URL of ``path`` (``import/images``) at an API version of a base URL."""
    return f"{base}/api/{version}/{path}"


def _split(text: str) -> Url:
    """Take the form apart; the host stays as it was written, but for its case. Raises
    Rejected ``bad-url``."""
    if len(text) > MAX_LENGTH:
        raise _bad(f"it is longer than {MAX_LENGTH:,} characters")
    if refused := _REFUSED.search(text):
        raise _bad(f"it holds {_SIGNS.get(refused[0], 'a control character')}")
    found = _URL.match(text)
    if found is None:
        raise _bad("it does not begin with http:// or https://")
    scheme = found[1].lower()
    if scheme not in PORTS:
        raise _bad(f"only http and https are fetched, not {scheme[:20]}")
    user, at, place = (found[2] or "").rpartition("@")
    authority = _AUTHORITY.fullmatch(place)
    if authority is None:
        raise _bad("its host or port is not valid")
    host, port = authority.groups()
    if not host:
        raise _bad("it has no host")
    if host.lower() in PORTS and found[3].startswith("//"):
        raise _bad("it begins with http:// or https:// twice")
    if host.startswith("["):
        host = host[1:-1]
        _ip_address(IPv6Address, host)
    number = int(port) if port else PORTS[scheme]
    if not 0 < number < 65_536:
        raise _bad("its port is not between 1 and 65535")
    return Url(scheme, user if at else None, host.lower(), number, _path(found[3]))


def _parts(text: str) -> Url | None:
    try:
        return _split(text)
    except Rejected:
        return None


@lru_cache(maxsize=1_024)
def _is_address(host: str) -> bool:
    return ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


@lru_cache(maxsize=1_024)
def _host(text: str) -> str:
    """A host in its one form. Raises Rejected ``bad-url``.

    Numbers in disguise (``0x7f.1``, ``2130706433``, ``127.1``) are refused: resolvers take them
    for addresses, people do not."""
    if ":" in text:
        return _ip_address(IPv6Address, text)
    name = _ascii(text).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ip_address(IPv4Address, name)
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise _bad("its host is not a valid name")
    return name


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    import idna  # large tables, for few

    try:
        with suppress(UnicodeError):
            return idna.encode(text, uts46=True).decode("ascii")
        labels = idna.uts46_remap(text).split(".")  # symbols too (UTS 46), as browsers take them
        return ".".join(map(_a_label, labels))
    except UnicodeError as error:  # idna's own errors are of this kind
        raise _bad("its host is not a valid international name") from error


def _a_label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def _ip_address(kind: type[IPv4Address] | type[IPv6Address], text: str) -> str:
    try:
        if "%" not in text:  # a zone names an interface of this machine
            return str(kind(text))
    except ValueError:
        pass
    if kind is IPv6Address:
        raise _bad("its host is not a valid IPv6 address")
    raise _bad("its host is a number, but not an address of the form 93.184.216.34")


def _path(text: str) -> str:
    """Path and query, percent-encoded where they have to be."""
    if _TO_ENCODE.search(text):
        try:
            text = _TO_ENCODE.sub(lambda found: quote(found[0], safe=""), text)
        except UnicodeEncodeError as error:
            raise _bad("it is not valid Unicode") from error
    return text if text.startswith("/") else f"/{text}"


def _bad(why: str) -> Rejected:
    return Rejected(Cause.BAD_URL, f"the URL cannot be used: {why}")
