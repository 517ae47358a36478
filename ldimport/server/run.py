"""``ldimport serve``, without its screen: settings in, told facts out, signals minded."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

from ldimport.credentials import Secret
from ldimport.engine import Engine
from ldimport.errors import ExitCode, Terminated, UsageError
from ldimport.model import Json
from ldimport.net.guard import parse_allow_host
from ldimport.server.options import Listening, Request, ServeEvent, ServeOptions
from ldimport.server.server import Server
from ldimport.server.status_facts import Fact, about, told_of
from ldimport.wire import Dialect

SECRETS = "LDIMPORT_WEBHOOK_SECRET"
"""Environment variable: secrets that webhooks are signed with, blanks between them."""
TOKEN = "LDIMPORT_SERVE_TOKEN"  # noqa: S105  the name of a variable
MOST_WAITING = 10_000
"""Facts that wait for somebody slow; beyond that, requests are no longer told."""
PATIENCE = 5.0
"""Seconds at the end for whoever reads what is told."""

Told = Callable[[str, Mapping[str, Json]], None]
_log = logging.getLogger(__name__)


class Serving(Protocol):
    """What the command line has settled; see ``cli.serving``."""

    @property
    def engine(self) -> Path: ...
    @property
    def project_config(self) -> Path | None: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def workers(self) -> int | None: ...
    @property
    def daily_limit(self) -> int: ...
    @property
    def dialect(self) -> str | None: ...
    @property
    def public_url(self) -> str | None: ...
    @property
    def token(self) -> str | None: ...
    @property
    def allow_hosts(self) -> Sequence[str]: ...
    @property
    def integrity(self) -> str: ...
    @property
    def polls(self) -> bool: ...


def run(serving: Serving, told: Told) -> None:
    """Serve until a signal, then raise KeyboardInterrupt (Ctrl-C) or Terminated (SIGTERM) once
    all has ended in order. Raises ConfigError when the port is taken, UsageError for a dialect
    or an allowed host that makes no sense, AuthError for a token that is none."""
    options = _options(serving)
    for text in serving.allow_hosts:
        parse_allow_host(text)
    secrets = os.environ.get(SECRETS, "").split()
    with (
        Engine(
            serving.engine,
            project_config=serving.project_config,
            allow_hosts=serving.allow_hosts,
            integrity=serving.integrity,
            daily_limit=serving.daily_limit,
        ) as engine,
        _Teller(told, serving.polls) as teller,
    ):
        teller.about = lambda: about(engine, serving.workers, time.time())
        server = Server(engine, options, teller.tell, secrets=secrets)
        teller.on_break = server.stop
        with _minding_signals(server):
            server.serve()


def _options(serving: Serving) -> ServeOptions:
    if serving.dialect is not None and serving.dialect not in set(Dialect):
        raise UsageError(f"--dialect {serving.dialect}: there are {', '.join(Dialect)}")
    token = None if serving.token is None else Secret(serving.token, TOKEN)
    if token is not None:
        token.reveal()
    return ServeOptions(
        host=serving.host,
        port=serving.port,
        workers=serving.workers,
        dialect=None if serving.dialect is None else Dialect(serving.dialect),
        public_url=serving.public_url,
        token=token,
    )


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


class _Teller:
    """Hands events to ``told`` in a thread of its own: a reader that is slow, or does not read at
    all, must not stop the server. When telling fails (a broken pipe), the server ends and the
    failure is raised."""

    def __init__(self, told: Told, polls: bool) -> None:
        self.on_break: Callable[[], None] = lambda: None
        self.about: Callable[[], Fact | None] = lambda: None
        self._told = told
        self._polls = polls
        self._events: queue.SimpleQueue[ServeEvent | None] = queue.SimpleQueue()
        self._broken: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="ldimport-told", daemon=True)

    def tell(self, event: ServeEvent) -> None:
        """Have an event told; returns at once."""
        dropped = isinstance(event, Request) and self._events.qsize() > MOST_WAITING
        if not dropped:
            self._events.put(event)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                if facts := told_of(event, polls=self._polls):
                    self._told(*facts)
                if isinstance(event, Listening) and (facts := self.about()):
                    self._told(*facts)
            except Exception as error:  # noqa: BLE001  raised in the thread that can end
                self._broken = error
                self.on_break()
                return

    def __enter__(self) -> _Teller:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        self._events.put(None)
        self._thread.join(PATIENCE)
        if self._broken is not None and error is None:
            raise self._broken
