"""One engine served over HTTP: requests, workers, webhooks, until it is told to stop."""

import asyncio
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from ldimport.engine import Engine, access_tokens
from ldimport.engine.store import Follower
from ldimport.engine.webhooks import Sender
from ldimport.engine.worker_pool import cores
from ldimport.errors import ConfigError, LdimportError, TemporaryError
from ldimport.server.app import application
from ldimport.server.contract import (
    EngineServed,
    HttpOptions,
    Listening,
    OnEvent,
    ServeOptions,
    Stopped,
    WorkersPaused,
)
from ldimport.server.endpoint import Backend
from ldimport.server.pages.site import Site
from ldimport.server.protocol import protocol
from ldimport.system import open_files, start_thread

BACKLOG = 1_024
TAKEN_AT_ONCE = 16
"""Connections taken before what the last ones sent is read: who asks is told from who waits."""
SPARE_FILES = 64
"""Descriptors kept back from connections: the catalogue in every thread, workers."""
SEND_BUFFER = 262_144
"""Bytes that the system holds back for a client; more would be lent to those who do not read."""
HOOK_PATIENCE = 3.0
"""Seconds at the end for webhooks that are due."""
PAUSE = 30.0
"""Seconds until workers that could not go on (disk full) are started again."""
LOOK = 0.2
"""Seconds between two looks at the jobs, and at the workers."""

_log = logging.getLogger(__name__)


class UntilStopped:
    """Serves an application until ``stop``, which may come from any thread or a signal."""

    def __init__(self) -> None:
        self._uvicorn: uvicorn.Server | None = None
        self._told = False
        self._stumbled_at = 0.0

    def stop(self) -> None:
        """Take no more requests, finish those under way, end."""
        self._told = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def _run(self, app: ASGIApp, options: HttpOptions, most: int, made: socket.socket) -> None:
        """Serve what comes to a socket that listens, ``most`` connections at a time."""
        self._uvicorn = server = Uvicorn(configured(app, options, most))
        server.should_exit = self._told
        with asyncio.Runner() as runner:
            runner.get_loop().set_exception_handler(self._stumbled)
            runner.run(server.serve([made]))

    def _stumbled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop could not do is told once in a second: mostly it could not take a
        connection, for want of descriptors, and tries again."""
        error = context.get("exception")
        if loop.time() - self._stumbled_at > 1:
            self._stumbled_at = loop.time()
            why = os.strerror(error.errno or 0) if isinstance(error, OSError) else repr(error)
            _log.warning("%s: %s; the server goes on", context["message"], why)


class Server(UntilStopped):
    """Serves ``engine`` from ``serve`` until ``stop``. Nothing is lost whenever it ends: what was
    accepted is durable, and whoever serves the same folder next goes on."""

    def __init__(self, engine: Engine, options: ServeOptions) -> None:
        super().__init__()
        self._engine = engine
        self._options = options

    def serve(self, on_event: OnEvent) -> None:
        """Serve until ``stop``; ``on_event`` hears what happens, from several threads. Raises
        ConfigError for a port that is taken, a project config, a token or a secret that makes no
        sense, TemporaryError where too few files may be open; nothing has been served then."""
        engine, options = self._engine, self._options
        assert engine.config  # a broken one shows itself now
        most = room(options.connections)
        with ExitStack() as ends:
            listener = ends.enter_context(listen(options.host, options.port))
            engine.public_url = options.public_url or url_of(listener)
            backend = Backend(engine, options)
            ends.callback(backend.close)
            site = Site(backend)
            ends.callback(site.close)
            sender = Sender(engine.store, options.secrets, on_attempt=on_event)
            jobs = engine.follow()
            ends.callback(lambda: on_event(Stopped(jobs.open_jobs)))
            watch, work = partial(_watch, jobs, on_event), partial(_work, engine, options.workers)
            ends.enter_context(beside(watch, self.stop))
            sender.start()
            ends.callback(sender.end, HOOK_PATIENCE)
            if options.workers != 0:
                ends.enter_context(beside(partial(work, on_event), self.stop))
            on_event(Listening(url_of(listener), listener.getsockname()[1]))
            on_event(_served(engine, options.workers))
            self._run(application(backend, site, on_event), options, most, listener)


def _served(engine: Engine, workers: int | None) -> EngineServed:
    images, size = engine.holdings()
    now = time.time()
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


def room(wanted: int) -> int:
    """How many connections there is room for; each may have a file of its own. Raises
    TemporaryError where there is none for the server itself."""
    files = open_files(2 * wanted + SPARE_FILES)
    if files is None:
        return wanted
    if files < SPARE_FILES:
        text = f"only {files} files may be open at once, the server needs {SPARE_FILES}"
        hint = "ulimit -n 1024   then the same command again"
        raise TemporaryError(text, hint=hint, code="few-files")
    return min(wanted, max(8, (files - SPARE_FILES) // 2))


def configured(app: ASGIApp, options: HttpOptions, connections: int) -> uvicorn.Config:
    """How uvicorn serves ``app``."""
    return uvicorn.Config(
        app,
        http=protocol(options, connections),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",  # what clients do wrong is told as an event
        access_log=False,
        backlog=TAKEN_AT_ONCE,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=2 * connections,  # of requests whose clients have gone, too
        timeout_keep_alive=int(options.idle_seconds),
        timeout_graceful_shutdown=int(options.grace_seconds),
        h11_max_incomplete_event_size=options.header_limit,
    )


class Uvicorn(uvicorn.Server):
    """Leaves signals to whoever runs it, and lets many wait that are taken a few at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; the loop has one number for both."""
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


# -- beside the requests ----------------------------------------------------------------------


@contextmanager
def beside(work: Callable[[threading.Event], None], on_break: Callable[[], None]) -> Iterator[None]:
    """Inside, ``work`` goes on in a thread, until it is told to end. When it fails, ``on_break`` is
    called, and the failure is raised at the end."""
    told, broken = threading.Event(), list[Exception]()

    def guarded() -> None:
        try:
            work(told)
        except Exception as error:  # noqa: BLE001  raised in the thread that can end
            broken.append(error)
            on_break()

    thread = start_thread(guarded)
    try:
        yield
    finally:
        told.set()
        thread.join()
    if broken:
        raise broken[0]


def _work(engine: Engine, size: int | None, on_event: OnEvent, told: threading.Event) -> None:
    """The engine's workers; ``size`` None is one per core. When they cannot go on, they begin
    again after a pause, and the API goes on meanwhile. At the end they finish what they have in
    hand, at most some seconds, and the rest stays open."""
    while not told.is_set():
        try:
            with engine.working(size):
                while not told.wait(LOOK):
                    engine.check_workers()
        except (LdimportError, OSError) as error:
            why = error.message if isinstance(error, LdimportError) else str(error)
            engine.notice(error)
            on_event(WorkersPaused(why, PAUSE))
            told.wait(PAUSE)


def _watch(jobs: Follower, on_event: OnEvent, told: threading.Event) -> None:
    """Tells of jobs that are accepted and that end, whoever carries them out; looks at the end
    once more."""
    last = False
    while not last:
        last = told.wait(LOOK)
        try:
            for change in jobs.look():
                on_event(change)
        except LdimportError as error:  # somebody holds the catalogue; the next look sees it all
            _log.warning("jobs are not watched for the moment: %s", error.message)


# -- the socket -------------------------------------------------------------------------------


def listen(host: str, port: int, command: str = "serve") -> socket.socket:
    """A socket that listens; ``port`` 0 takes any free one. Raises ConfigError that names the way
    out when the port is taken or the address is not of this machine."""
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except (OSError, UnicodeError) as error:
        raise _no_address(host, command) from error
    family, place = found[0][0], found[0][4]
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        made = socket.create_server(place, family=family, backlog=BACKLOG, dualstack_ipv6=both)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not see it is TCP
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    except OSError as error:
        raise _not_listening(error, host, port, command) from error
    made.setblocking(False)
    return made


def url_of(made: socket.socket) -> str:
    """The address to reach a listening socket at, from this machine if it listens everywhere."""
    host, port = made.getsockname()[:2]
    address = ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _not_listening(error: OSError, host: str, port: int, command: str) -> ConfigError:
    if error.errno == errno.EADDRNOTAVAIL:
        return _no_address(host, command)
    if error.errno == errno.EADDRINUSE:
        hint = f"ldimport {command} --port 0   any free port"
        return ConfigError(f"Port {port} is taken", hint=hint, code="port-taken")
    if error.errno == errno.EACCES:
        hint = f"ldimport {command} --port 9095   ports below 1024 are reserved"
        return ConfigError(f"Port {port} may not be used by you", hint=hint, code="port-reserved")
    why = os.strerror(error.errno or 0)
    return ConfigError(f"{host} port {port} cannot be listened on: {why}", code="no-port")


def _no_address(host: str, command: str) -> ConfigError:
    hint = f"ldimport {command} --host 127.0.0.1   or 0.0.0.0 for all of its addresses"
    return ConfigError(f"{host} is no address of this machine", hint=hint, code="bad-host")
