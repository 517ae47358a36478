"""One engine served over HTTP: requests, workers, webhooks, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import uvicorn
from starlette.types import ASGIApp

from ldimport.engine import Engine, access_tokens
from ldimport.engine.webhooks import Sender
from ldimport.engine.worker_pool import cores
from ldimport.server.app import application
from ldimport.server.backend import Backend
from ldimport.server.background import JobWatch, Workers
from ldimport.server.events import EngineServed, Listening, OnEvent, Stopped
from ldimport.server.listener import listen, url_of
from ldimport.server.options import ServeOptions
from ldimport.server.protocol import protocol
from ldimport.system import most_open_files

SPARE_FILES = 128
"""Descriptors kept back from connections: the catalogue, images that are sent, workers."""
HOOK_PATIENCE = 3.0
"""Seconds at the end for webhooks that are due."""


class Server:
    """Serves ``engine`` from ``serve`` until ``stop``; ``on_event`` hears what happens, from
    several threads. Nothing is lost whenever it ends: what was accepted is durable, and whoever
    serves the same folder next goes on."""

    def __init__(self, engine: Engine, options: ServeOptions, on_event: OnEvent) -> None:
        self._engine = engine
        self._options = options
        self._on_event = on_event
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
        engine, options, on_event = self._engine, self._options, self._on_event
        assert engine.config  # a broken one shows itself now
        with ExitStack() as ends:
            listener = ends.enter_context(listen(options.host, options.port))
            engine.public_url = options.public_url or url_of(listener)
            backend = Backend(engine, options)
            ends.callback(backend.close)
            sender = Sender(engine.store, options.secrets, on_attempt=on_event)
            watch = JobWatch(engine, on_event)
            watch.start()
            ends.callback(lambda: on_event(Stopped(watch.open_jobs)))
            ends.callback(watch.end)
            sender.start()
            ends.callback(sender.end, HOOK_PATIENCE)
            if options.workers != 0:
                workers = Workers(engine, options.workers, on_event)
                workers.start()
                ends.callback(workers.end)
            self._answer(listener, backend)

    def _answer(self, listener: socket.socket, backend: Backend) -> None:
        listening = Listening(url_of(listener), listener.getsockname()[1])
        served = _served(self._engine, self._options.workers, time.time())

        def begun() -> None:
            self._on_event(listening)
            self._on_event(served)

        config = _configured(application(backend, self._on_event), self._options)
        self._uvicorn = server = _Uvicorn(config, begun)
        server.should_exit = self._told
        asyncio.run(server.serve([listener]))


def _served(engine: Engine, workers: int | None, now: float) -> EngineServed:
    images, size = engine.holdings()
    return EngineServed(
        folder=engine.folder,
        media_types=tuple(engine.config.media_types),
        images=images,
        bytes=size,
        tokens=tuple(
            each.name for each in engine.tokens.all() if access_tokens.is_valid(each, now)
        ),
        workers=cores() if workers is None else workers,
        daily_limit=engine.daily_limit,
    )


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
