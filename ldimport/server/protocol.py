"""HTTP/1.1 as uvicorn speaks it, with what it lacks: a deadline for request heads (somebody who
sends one byte a minute would hold a connection for ever), a cap on connections that drops idle ones
first, and refusals in the API's own form.

uvicorn documents that a protocol class may be given, not what is in its own; this subclass uses
``cycle``, ``conn``, ``connections`` and ``send_400_response`` of it. So the ``server`` extra names
the newest uvicorn that its tests (``tests/server/test_server_hostile.py``) have passed with.
"""

import asyncio
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ldimport import wire
from ldimport.server.responses import PHRASES, Refusal

LINGER = 1.0
"""Seconds for a client that was refused to read why."""


def protocol(header_seconds: float, most_connections: int) -> type[H11Protocol]:
    """The protocol class for a server: seconds for the head of a request, and how many
    connections may be open at once."""
    limits = {"HEADER_SECONDS": header_seconds, "MOST_CONNECTIONS": most_connections}
    return type("Bounded", (BoundedProtocol,), limits)


class BoundedProtocol(H11Protocol):
    """One connection."""

    HEADER_SECONDS = 20.0
    MOST_CONNECTIONS = 1_000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False
        self._since = self.loop.time()

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: room is made for it, and the clock starts."""
        super().connection_made(transport)
        if len(self.connections) > self.MOST_CONNECTIONS:
            self._make_room()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of it."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: the clock stops when its head is whole."""
        if self._refused:
            return
        super().data_received(data)
        if not self.idle:
            self._disarm()
        elif not self.transport.is_closing():
            self._arm()

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
        body = wire.encode(Refusal(status, text).body)
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
        ]
        head = h11.Response(status_code=status, headers=headers, reason=PHRASES[status])
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
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
            self._deadline = self.loop.call_later(self.HEADER_SECONDS, self._late)

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
        """Drop the connection that has been idle longest; when all are at work, uvicorn's
        ``limit_concurrency`` answers 503."""
        others = [
            each
            for each in self.connections
            if isinstance(each, BoundedProtocol) and each is not self and each.idle
            and not each.transport.is_closing()
        ]  # fmt: skip
        if others:
            min(others, key=lambda each: each._since).transport.abort()
