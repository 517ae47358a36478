"""One engine served over HTTP: requests, workers, webhooks, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import uvicorn
from starlette.types import ASGIApp

from ldimport.engine import Engine
from ldimport.engine.webhooks import Sender
from ldimport.server.app import application
from ldimport.server.background import JobWatch, Workers
from ldimport.server.desk import Desk
from ldimport.server.listening import listen, url_of
from ldimport.server.options import Listening, OnEvent, ServeOptions, Stopped
from ldimport.server.protocol import protocol
from ldimport.system import most_open_files

SPARE_FILES = 128
"""Descriptors kept back from connections: the catalogue, images that are sent, workers."""
HOOK_PATIENCE = 3.0
"""Seconds at the end for webhooks that are due."""


class Server:
    """Serves ``engine`` from ``serve`` until ``stop``. ``secrets`` sign webhooks; ``on_event``
    hears what happens, from several threads. Nothing is lost whenever it ends: what was accepted
    is durable, and whoever serves the same folder next goes on."""

    def __init__(
        self,
        engine: Engine,
        options: ServeOptions,
        on_event: OnEvent,
        *,
        secrets: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._options = options
        self._on_event = on_event
        self._secrets = secrets
        self._uvicorn: _Uvicorn | None = None
        self._told = False

    def stop(self) -> None:
        """Take no more requests, finish those under way, end. From any thread, or a signal."""
        self._told = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def serve(self) -> None:
        """Serve until ``stop``. Raises ConfigError for a port that is taken, a project config, a
        token or a secret that makes no sense; nothing has been served then."""
        engine, options = self._engine, self._options
        assert engine.config  # a broken one shows itself now
        with ExitStack() as ends:
            listener = ends.enter_context(listen(options.host, options.port))
            engine.public_url = options.public_url or url_of(listener)
            desk = Desk(engine, options)
            ends.callback(desk.close)
            sender = Sender(engine.store, self._secrets, on_attempt=self._on_event)
            watch = JobWatch(engine, self._on_event)
            watch.start()
            ends.callback(lambda: self._on_event(Stopped(watch.end())))
            sender.start()
            ends.callback(sender.end, HOOK_PATIENCE)
            workers = Workers(engine, options.workers, self._on_event)
            workers.start()
            ends.callback(workers.end)
            self._answer(listener, desk)

    def _answer(self, listener: socket.socket, desk: Desk) -> None:
        url, port = url_of(listener), listener.getsockname()[1]
        config = _configured(application(desk, self._on_event), self._options)
        server = _Uvicorn(config, lambda: self._on_event(Listening(url, port)))
        self._uvicorn = server
        server.should_exit = self._told
        asyncio.run(server.serve([listener]))


def _configured(app: ASGIApp, options: ServeOptions) -> uvicorn.Config:
    files = most_open_files()
    room = options.connections if files is None else max(8, files - SPARE_FILES)
    connections = min(options.connections, room)
    return uvicorn.Config(
        app,
        http=protocol(options.header_seconds, connections),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",  # what clients do wrong is told as an event
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=2 * connections,
        timeout_keep_alive=int(options.idle_seconds),
        timeout_graceful_shutdown=int(options.grace_seconds),
        h11_max_incomplete_event_size=options.header_limit,
    )


class _Uvicorn(uvicorn.Server):
    """Says when the port answers, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._on_start()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield
