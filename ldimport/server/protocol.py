"""HTTP/1.1 as uvicorn speaks it, with what it lacks: deadlines for request heads and for taking an
answer (somebody who sends or reads one byte a minute would hold a connection for ever), caps on
connections that drop those first who keep us waiting, and refusals in the API's own form.

uvicorn documents that a protocol class may be given, not what is in its own; this subclass uses
``client``, ``cycle``, ``conn``, ``connections``, ``flow`` and ``send_400_response`` of it. So the
``server`` extra names the newest uvicorn that its tests (``tests/server/test_server_hostile.py``)
have passed with.
"""

import asyncio
import sys
from collections import Counter
from ipaddress import ip_address
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ldimport.server.contract import HttpOptions
from ldimport.server.responses import PHRASES, Refusal

LINGER = 1.0
"""Seconds for a client that was refused to read why."""
PATIENCE = 1.0
"""Seconds in which a client that has just come is not one that keeps us waiting."""
NEWCOMER = 0.2
"""Seconds in which what a connection has sent may not have been read yet."""
PIECE = 65_536
"""Bytes of an answer that a client has to take in ``write_seconds``."""
MOUTHFUL = 4_096
"""Bytes read of one client before it is the next one's turn; chunks of a byte cost most."""
ROUND = 65_536
"""Bytes read in one turn of all, about."""
MOST_LINES = 1_000
"""Lines of a head: reading one costs more than a thousand bytes."""


def protocol(options: HttpOptions, connections: int) -> type[H11Protocol]:
    """The protocol class for a server with room for so many connections; half of them is the most
    for one client."""
    limits = {"OPTIONS": options, "MOST": connections, "MOST_OF_ONE": max(connections // 2, 1),
              "CROWDS": Counter[bytes]()}  # fmt: skip
    return type("Bounded", (BoundedProtocol,), limits)


class BoundedProtocol(H11Protocol):
    """One connection."""

    OPTIONS: HttpOptions
    MOST: int
    MOST_OF_ONE: int
    CROWDS: Counter[bytes]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._whose = b""
        self._lines = 0
        self._refused = False
        self._since = self.loop.time()

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: to ask, to send its body, to take the answer."""
        return bool(self.idle or self.cycle.more_body or self.flow.write_paused)

    @property
    def patience(self) -> tuple[bool, bool, bool, float]:
        """Least of those that may go first: who has waited for long, then who waits, then who came
        just now and may have asked, and those last that we are at work for; the oldest first."""
        age = self.loop.time() - self._since
        young, long = age < NEWCOMER, self.waits and age > PATIENCE
        return not (young or self.waits), young, not long, self._since

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: room is made for it, and the clock starts."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # paused: the client has not taken all of it
        self._take_turns()
        self._whose = _whose(self.client[0]) if self.client else b""
        self.CROWDS[self._whose] += 1
        self._arm()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of it."""
        self._disarm()
        self._leave()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not take what it is sent: it has so long for it."""
        super().pause_writing()
        pieces = max(1.0, self.transport.get_write_buffer_size() / PIECE)
        seconds = self.OPTIONS.write_seconds * pieces
        self._unread = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """All was taken."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        self._since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: the clock stops when its head is whole."""
        if self._refused:
            return
        self._take_turns()
        if self.idle and not self.conn.trailing_data[0]:
            self._since, self._lines = self.loop.time(), 0
        if self.idle:
            self._lines += data.partition(b"\r\n\r\n")[0].count(b"\n")
            if self._lines > MOST_LINES:
                self._refuse(431, f"The head of the request has more than {MOST_LINES:,} lines")
                return
        super().data_received(data)
        if not self.idle:
            self._disarm()
        elif not self.transport.is_closing():
            self._arm()

    def _take_turns(self) -> None:
        """The more there are, the less is read of each before it is the next one's turn."""
        portion = min(MOUTHFUL, ROUND // (len(self.connections) + 1) + 1)
        self.transport.max_size = portion  # type: ignore[attr-defined]  # asyncio's name for it

    def send_400_response(self, msg: str) -> None:
        """What h11 cannot read is refused in the API's form, and the connection ends."""
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(status if status in PHRASES else 400, msg)
        else:
            self._cut_off()

    def _refuse(self, status: int, text: str) -> None:
        """Answer, and end the connection a moment later: closed with bytes unread, the system
        would reset it, and the client might never see the answer."""
        answer, reason = Refusal(status, text, close=True).response(), PHRASES[status]
        head = h11.Response(status_code=status, headers=answer.raw_headers, reason=reason)
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._refused = True
        self._disarm()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self._cut_off)

    def _cut_off(self) -> None:
        """End the connection; a request under way sees its client gone."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    # -- the clock and the cap --------------------------------------------------------------

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.OPTIONS.header_seconds, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if not self.idle or self.transport.is_closing():
            return
        begun = bool(self.conn.trailing_data[0])
        if begun and self.conn.our_state is h11.IDLE:
            self._refuse(408, "The head of the request did not arrive in time")
        else:
            self.transport.close()

    def _make_room(self) -> None:
        """Where a connection is one too many, drop one of the client that has most (``patience``),
        one at work only where there is no other."""
        if len(self.connections) > self.MOST or self.CROWDS[self._whose] > self.MOST_OF_ONE:
            most = max(self.CROWDS.values())
            others = (
                each for each in self.connections - {self}
                if isinstance(each, BoundedProtocol) and self.CROWDS[each._whose] == most
            )  # fmt: skip
            dropped = min(others, key=lambda each: each.patience)
            dropped._leave()
            dropped.transport.abort()

    def _leave(self) -> None:
        if self in self.connections:
            self.connections.discard(self)
            self.CROWDS[self._whose] -= 1
            if not self.CROWDS[self._whose]:
                del self.CROWDS[self._whose]


def _whose(host: str) -> bytes:
    """Whom a connection is counted to: an IPv4 address, or the 64 bits that one household or
    machine has of IPv6 to itself."""
    address = ip_address(host.partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).packed[:8]
