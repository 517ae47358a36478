"""``ldimport serve``, without its screen: options in, events out, signals minded."""

import os
import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ldimport.authorities import check_ca_file
from ldimport.engine import Engine
from ldimport.errors import Terminated
from ldimport.net.guard import parse_allow_host
from ldimport.server.contract import OnEvent, RequestAnswered, ServeEvent, ServeOptions
from ldimport.server.server import Server
from ldimport.system import ENDING, on_signals, start_thread

MOST_WAITING = 10_000
"""Events that wait for somebody slow; beyond that, requests are no longer told."""
PATIENCE = 5.0
"""Seconds at the end for whoever reads what is told."""


def run(options: ServeOptions, on_event: OnEvent) -> None:
    """Serve until a signal, then raise KeyboardInterrupt (Ctrl-C) or Terminated (SIGTERM) once
    all has ended in order. ``on_event`` hears events one at a time. Raises ConfigError when the
    port is taken or ``job.ca_file`` cannot be used, UsageError for an allowed host that makes no
    sense, AuthError for a token that is none."""
    if options.token is not None:
        options.token.reveal()
    for text in options.job.allow_hosts:
        parse_allow_host(text)
    if options.job.ca_file is not None:
        check_ca_file(options.job.ca_file)
    with Engine(
        options.engine,
        project_config=options.project_config,
        options=options.job,
        limits=options.limits,
        daily_limit=options.daily_limit,
        variants=options.variants,
        key_in_results=options.key_in_results,
        rendition_bytes=options.rendition_bytes,
    ) as engine:
        server = Server(engine, options)
        with one_at_a_time(on_event, server.stop) as tell, minding_signals(server.stop):
            server.serve(tell)


@contextmanager
def minding_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, the first signal ends the server in order, a second one at once; afterwards the
    first is raised."""
    asked: list[int] = []

    def end(number: int) -> None:
        if asked:  # what was acknowledged is durable; workers end with us
            os._exit(130 if number == signal.SIGINT else 143)
        asked.append(number)
        stop()

    with on_signals(*ENDING, call=end):
        yield
    if asked:
        raise KeyboardInterrupt if asked[0] == signal.SIGINT else Terminated


@contextmanager
def one_at_a_time(on_event: OnEvent, on_break: Callable[[], None]) -> Iterator[OnEvent]:
    """Takes events and hands them on in a thread of its own: a reader that is slow, or does not
    read at all, must not stop the server. When that fails (a broken pipe), ``on_break`` is called
    and the failure is raised at the end."""
    events: queue.SimpleQueue[ServeEvent | None] = queue.SimpleQueue()
    broken: list[Exception] = []

    def put(event: ServeEvent) -> None:
        if not (isinstance(event, RequestAnswered) and events.qsize() > MOST_WAITING):
            events.put(event)

    def tell() -> None:
        try:
            while (event := events.get()) is not None:
                on_event(event)
        except Exception as error:  # noqa: BLE001  raised in the thread that can end
            broken.append(error)
            on_break()

    thread = start_thread(tell, name="ldimport-events")
    try:
        yield put
    finally:
        events.put(None)
        thread.join(PATIENCE)
    if broken:
        raise broken[0]
