"""HTTP exchanges by libcurl, many at a time.

Whether an answer is an image worth keeping is for ``answers``. What holds for every exchange is
decided here: a socket is opened to a checked address alone, TLS is verified, no proxy, credential
or redirect of libcurl's own, no cookie but those given to it, bounded headers, body and time.
"""

import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import pycurl

from ldimport import __version__
from ldimport.causes import Cause
from ldimport.errors import Rejected, TemporaryError
from ldimport.net.body import Body, Shelf
from ldimport.net.guard import CheckedAddress, refusal

OpenSocket = Callable[[int, int, int, tuple[str, int]], socket.socket]
"""Family, type, protocol and (address, port) to a new, unconnected socket. May raise OSError."""

USER_AGENT = f"ldimport/{__version__}"
MAX_HEADER_BYTES = 65_536
MAX_INTERIM = 10
"""Interim answers (1xx) before the final one; an honest server sends one or two."""
MAX_OTHER_BYTES = 65_536
"""How much is read of a body that nobody wants (an error page), to keep the connection usable."""
CONNECT_SECONDS = 15.0
READ_BYTES = 65_536

_WANTED = {name.encode(): name for name in (
    "content-encoding", "content-length", "content-type", "etag", "last-modified", "location",
    "retry-after", "set-cookie")}  # fmt: skip
_BLANK = (b"\r\n", b"\n")
_STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})")
_NOT_REACHED = {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST}
_LOST_ON_THE_WAY = {pycurl.E_GOT_NOTHING, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR}
_WEIRD_SERVER_REPLY, _TOO_LARGE = 8, 100  # pycurl has no names for these
_TLS = (Cause.TLS, "no secure connection: {said} ({place})")
_BROKEN_HTTP = (Cause.BAD_HTTP, "origin breaks the rules of HTTP{colon} ({place})")
_FAILURES = {
    pycurl.E_OPERATION_TIMEDOUT: (
        Cause.TIMEOUT, "{place} took longer than {seconds:.3g} s to send the file"),
    pycurl.E_PARTIAL_FILE: (
        Cause.INCOMPLETE, "connection closed by {place} before the whole file arrived"),
    pycurl.E_SSL_CONNECT_ERROR: _TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: _TLS,
    pycurl.E_UNSUPPORTED_PROTOCOL: (
        Cause.BAD_HTTP, "origin does not answer in HTTP ({place})"),
    _TOO_LARGE: (
        Cause.BAD_HTTP, "origin sends headers that are too large or too many ({place})"),
    _WEIRD_SERVER_REPLY: _BROKEN_HTTP,
    pycurl.E_BAD_CONTENT_ENCODING: _BROKEN_HTTP,
    **dict.fromkeys(_LOST_ON_THE_WAY, _BROKEN_HTTP),
}  # fmt: skip
"""What libcurl's errors mean, and in which words; see ``_failure``."""
_LOST = re.compile(r"SYSCALL|reset|unexpected eof|Recv failure|Send failure", re.IGNORECASE)
_MALFORMED = re.compile(r"chunk|header", re.IGNORECASE)
_STOP = 0
"""What a callback returns to end the exchange: not the number of bytes it was given."""
_OPTIONS = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.HTTP09_ALLOWED, 0),
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PROXY, ""),  # an empty name also switches off the proxies of the environment
    (pycurl.NETRC, 0),
    (pycurl.COOKIEFILE, ""),  # no file: cookies are understood, for as long as ``begin`` says
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
    (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
    (pycurl.BUFFERSIZE, READ_BYTES),
)


class Answer(NamedTuple):
    """What an origin answered. ``headers`` have lower-case names, those in use here only;
    ``broken`` says why the body is incomplete, ``cut`` that it went on beyond the limit;
    ``cookies`` are those known after it, each a line for libcurl."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    broken: Rejected | None
    cookies: tuple[str, ...] = ()


Screen = Callable[[int, Mapping[str, str], int], Rejected | None]
"""Looks at status, headers and the most bytes wanted before the body is read; what it returns ends
the exchange."""


Owner = TypeVar("Owner")


class Exchange:
    """A Curl handle that is used again and again; ``curl`` goes into a CurlMulti or is performed
    alone between ``begin`` and ``end``."""

    def __init__(
        self,
        *,
        roots: tuple[int, str],
        max_bytes: int = MAX_OTHER_BYTES,
        headers: Sequence[str] = (),
        screen: Screen | None = None,
        user_agent: str = USER_AGENT,
        open_socket: OpenSocket | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.curl = pycurl.Curl()
        self._body = Body(shelf or Shelf())
        self._full: TemporaryError | None = None
        self._max_bytes = max_bytes
        self._screen = screen
        self._open_socket = open_socket
        self._headers_always = ("Accept-Encoding: identity", *headers)
        self._opened: list[socket.socket] = []
        self._lines: list[bytes] = []
        self._asked: tuple[object, ...] = ()
        """Headers and seconds that libcurl was told last."""
        self._cookies = False
        """Whether libcurl may hold some."""
        own = (
            roots,
            (pycurl.USERAGENT, user_agent.encode()),
            (pycurl.HEADERFUNCTION, self._lines.append),  # read once all are there
            (pycurl.WRITEFUNCTION, self._chunk),
            (pycurl.OPENSOCKETFUNCTION, self._socket),
        )
        self.curl.unsetopt(pycurl.CAINFO)  # libcurl's own idea of it
        for option, value in (*_OPTIONS, *own):
            self.curl.setopt(option, value)

    def begin(
        self,
        checked: CheckedAddress,
        seconds: float,
        headers: Sequence[str] = (),
        cookies: Sequence[str] = (),
    ) -> None:
        """Prepare a request of ``checked`` that may take ``seconds`` from connect to last
        byte; a GET unless ``curl`` was told otherwise. ``cookies`` are all that it may send."""
        self.drop()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._limit = MAX_OTHER_BYTES
        self._cut = False
        self._refused: Rejected | None = None
        self._full = None
        self._seconds = seconds
        self._checked = checked
        url = checked.url
        self.curl.setopt(pycurl.URL, url.text)
        if not url.literal:  # libcurl never asks a resolver itself
            addresses = ",".join(f"[{one}]" if ":" in one else one for one in checked.addresses)
            self.curl.setopt(pycurl.RESOLVE, [f"+{url.host}:{url.port}:{addresses}"])
        milliseconds = max(1, int(seconds * 1_000))
        if (asked := (milliseconds, *headers)) != self._asked:
            self._asked = asked
            connect = min(milliseconds, int(CONNECT_SECONDS * 1_000))
            self.curl.setopt(pycurl.TIMEOUT_MS, milliseconds)
            self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, connect)
            self.curl.setopt(pycurl.HTTPHEADER, [*self._headers_always, *headers])
        if cookies or self._cookies:
            self._cookies = bool(cookies)
            for line in ("ALL", *cookies):
                self.curl.setopt(pycurl.COOKIELIST, line)

    @property
    def received(self) -> int:
        """Lines of headers and bytes of the body that have come."""
        return len(self._lines) + self._body.size

    def end(self, error: int = 0, text: str = "") -> Answer:
        """What came of it; ``error`` and ``text`` are libcurl's, 0 if it was content. Raises
        Rejected if there was no answer at all, or none that may be looked at, TemporaryError if
        there is no disk for a large one."""
        if not self._status and self._refused is None:
            self._read_headers()
        try:
            body = self._body.whole()
        except OSError as failed:
            self._full = self._body.shelf.full(failed)
        self.drop()
        if stopped := self._full or self._refused:
            raise stopped
        broken = self._failure(error, text) if error and not self._cut else None
        if broken is not None and not self._status:
            raise broken
        cookies = tuple(self.curl.getinfo(pycurl.INFO_COOKIELIST)) if self._cookies else ()
        return Answer(self._status, self._headers, body, self._cut, broken, cookies)

    def perform(self) -> Answer:
        """Carry out alone what ``begin`` prepared. Raises Rejected like ``end``."""
        try:
            self.curl.perform()
        except pycurl.error as error:
            return self.end(*error.args)
        return self.end()

    def drop(self) -> None:
        """Let go of what the exchange holds besides the connection; libcurl has its own copy."""
        for opened in self._opened:
            opened.close()
        self._opened.clear()
        self._lines.clear()
        self._body.clear()

    def close(self) -> None:
        """Release the handle."""
        self.drop()
        self.curl.close()

    def _socket(self, purpose: int, address: tuple[int, int, int, tuple[str, int]]) -> object:
        family, kind, protocol, (ip, port, *_) = address
        if not self._checked.admits(ip, port):
            self._refused = refusal(self._checked.url, "its address changed under way")
            return pycurl.SOCKET_BAD
        try:
            if self._open_socket is None:
                opened = socket.socket(family, kind, protocol)
            else:
                opened = self._open_socket(family, kind, protocol, (ip, port))
        except OSError:  # libcurl tries the next address, and reports if none is left
            return pycurl.SOCKET_BAD
        self._opened.append(opened)  # libcurl works on a duplicate
        return opened

    def _read_headers(self) -> bool:
        """Read the headers, all of which are there unless the exchange is over; decide how much
        of the body is wanted. False when it is refused."""
        interim = 0
        for line in self._lines:
            name, colon, value = line.partition(b":")
            if key := _WANTED.get(name.lower()) if colon else None:
                self._headers.setdefault(key, value.strip().decode("latin-1"))
            elif found := _STATUS.match(line):
                self._headers.clear()
                self._status = status if (status := int(found[1])) >= 200 else 0
                interim += not self._status
        self._cookies = self._cookies or "set-cookie" in self._headers
        if interim > MAX_INTERIM:
            self._refuse(f"origin sent more than {MAX_INTERIM} interim answers (1xx)")
        elif sum(map(len, self._lines)) > MAX_HEADER_BYTES:
            self._refuse(f"origin sent more than {MAX_HEADER_BYTES:,} bytes of headers")
        elif self._status and self._lines[-1] in _BLANK:
            if self._status == 200:
                self._limit = self._max_bytes
            if self._screen is not None:
                self._refused = self._screen(self._status, self._headers, self._max_bytes)
        return self._refused is None

    def _chunk(self, chunk: bytes) -> int | None:
        if not self._body.size and not self._read_headers():
            return _STOP
        if self._body.size + len(chunk) > self._limit:
            self._cut = True
            return _STOP
        try:
            self._body.add(chunk)
        except OSError as error:  # which must not pass through libcurl
            self._full = self._body.shelf.full(error)
            return _STOP
        return None

    def _refuse(self, reason: str) -> None:
        self._refused = Rejected(Cause.BAD_HTTP, reason)

    def _failure(self, error: int, text: str) -> Rejected:
        """What libcurl's ``error`` means; its message ``text`` is shown only where it cannot hold
        a URL."""
        place, said = self._checked.url.place, text.strip()
        connected = self.curl.getinfo(pycurl.PRETRANSFER_TIME) > 0  # set on old connections too
        if error in _NOT_REACHED or (error == pycurl.E_OPERATION_TIMEDOUT and not connected):
            return Rejected(Cause.UNREACHABLE, f"could not connect to {place}")
        if (error in _LOST_ON_THE_WAY and not _MALFORMED.search(text)) or (
            error == pycurl.E_SSL_CONNECT_ERROR and _LOST.search(text)
        ):
            return Rejected(Cause.CONNECTION_LOST, f"connection closed by {place}")
        unknown = (Cause.TRANSFER, f"the transfer from {{place}} failed (libcurl error {error})")
        why, reason = _FAILURES.get(error, unknown)
        colon = f": {said}" if said else ""
        told = reason.format(place=place, seconds=self._seconds, said=said, colon=colon)
        return Rejected(why, told)


class Transfers(Generic[Owner]):
    """Begins exchanges and hands back each with its owner. ``make`` builds an Exchange; those
    that ended are used again, and so are their connections, each for its own host alone."""

    def __init__(self, make: Callable[[], Exchange]) -> None:
        self._make = make
        self._multi = pycurl.CurlMulti()
        self._idle: list[Exchange] = []
        self._active: dict[pycurl.Curl, tuple[Owner, Exchange]] = {}

    def __len__(self) -> int:
        """Exchanges under way."""
        return len(self._active)

    def start(
        self,
        owner: Owner,
        checked: CheckedAddress,
        seconds: float,
        headers: Sequence[str] = (),
        cookies: Sequence[str] = (),
    ) -> None:
        """Begin a GET of ``checked`` for ``owner``, to be over within ``seconds``."""
        exchange = self._idle.pop() if self._idle else self._make()
        exchange.begin(checked, seconds, headers, cookies)
        self._active[exchange.curl] = (owner, exchange)
        self._multi.add_handle(exchange.curl)

    def wait(self, seconds: float) -> None:
        """Sleep until something can be done, at most ``seconds``."""
        own = self._multi.timeout()  # libcurl's next deadline in milliseconds, -1 for none
        self._multi.select(seconds if own < 0 else min(seconds, own / 1_000))

    def received(self) -> Iterator[tuple[Owner, int]]:
        """What is under way, and how much of each has come."""
        return ((owner, exchange.received) for owner, exchange in self._active.values())

    def ended(self) -> Iterator[tuple[Owner, Answer | Rejected]]:
        """Move all exchanges on and give those that are over."""
        self._multi.perform()
        _, done, failed = self._multi.info_read()
        for curl in done:
            yield self._end(curl)
        for curl, error, text in failed:
            yield self._end(curl, error, text)

    def abandon(self) -> None:
        """Break off everything that is under way."""
        for curl in list(self._active):
            _, exchange = self._active.pop(curl)
            self._multi.remove_handle(curl)
            exchange.drop()
            self._idle.append(exchange)

    def close(self) -> None:
        """Break off everything and close all connections."""
        self.abandon()
        while self._idle:
            self._idle.pop().close()
        self._multi.close()

    def _end(
        self, curl: pycurl.Curl, error: int = 0, text: str = ""
    ) -> tuple[Owner, Answer | Rejected]:
        owner, exchange = self._active.pop(curl)
        self._multi.remove_handle(curl)
        self._idle.append(exchange)
        try:
            return owner, exchange.end(error, text)
        except Rejected as rejected:
            return owner, rejected
