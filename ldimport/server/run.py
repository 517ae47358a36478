"""``ldimport serve``, without its screen: options in, events out, signals minded."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ldimport.engine import Engine
from ldimport.errors import ExitCode, Terminated
from ldimport.net.guard import parse_allow_host
from ldimport.server.events import OnEvent, RequestAnswered, ServeEvent
from ldimport.server.options import ServeOptions
from ldimport.server.server import Server

MOST_WAITING = 10_000
"""Events that wait for somebody slow; beyond that, requests are no longer told."""
PATIENCE = 5.0
"""Seconds at the end for whoever reads what is told."""


def run(options: ServeOptions, on_event: OnEvent) -> None:
    """Serve until a signal, then raise KeyboardInterrupt (Ctrl-C) or Terminated (SIGTERM) once
    all has ended in order. ``on_event`` hears events one at a time. Raises ConfigError when the
    port is taken, UsageError for an allowed host that makes no sense, AuthError for a token that
    is none."""
    if options.token is not None:
        options.token.reveal()
    for text in options.allow_hosts:
        parse_allow_host(text)
    with (
        Engine(
            options.engine,
            project_config=options.project_config,
            allow_hosts=options.allow_hosts,
            integrity=options.integrity,
            daily_limit=options.daily_limit,
        ) as engine,
        _EventQueue(on_event) as events,
    ):
        server = Server(engine, options, events.put)
        events.on_break = server.stop
        with _minding_signals(server):
            server.serve()


@contextmanager
def _minding_signals(server: Server) -> Iterator[None]:
    """Inside, the first signal ends the server in order, a second one at once; afterwards the
    first is raised. Elsewhere than in the main thread, whoever runs us minds the signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if asked:  # what was acknowledged is durable; workers end with us
            os._exit(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED)
        asked.append(number)
        server.stop()

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt if asked[0] == signal.SIGINT else Terminated


class _EventQueue:
    """Hands events on in a thread of its own: a reader that is slow, or does not read at all,
    must not stop the server. When that fails (a broken pipe), the server ends and the failure is
    raised."""

    def __init__(self, on_event: OnEvent) -> None:
        self.on_break: Callable[[], None] = lambda: None
        self._on_event = on_event
        self._events: queue.SimpleQueue[ServeEvent | None] = queue.SimpleQueue()
        self._broken: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="ldimport-events", daemon=True)

    def put(self, event: ServeEvent) -> None:
        """Have an event told; returns at once."""
        if not (isinstance(event, RequestAnswered) and self._events.qsize() > MOST_WAITING):
            self._events.put(event)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._on_event(event)
            except Exception as error:  # noqa: BLE001  raised in the thread that can end
                self._broken = error
                self.on_break()
                return

    def __enter__(self) -> _EventQueue:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        self._events.put(None)
        self._thread.join(PATIENCE)
        if self._broken is not None and error is None:
            raise self._broken
