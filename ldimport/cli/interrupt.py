"""Ctrl-C and SIGTERM during a run: the first ends it in order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ldimport.errors import ExitCode, LdimportError, Terminated

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def ends_in_order(told: Callable[[], None]) -> Iterator[None]:
    """Inside, the first signal calls ``told`` (so that a person sees it at once) and raises
    KeyboardInterrupt or Terminated; a second one leaves without cleaning up: what was
    acknowledged is durable, and the next run reconciles the rest."""
    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            _leave(_CODES[signal.Signals(number)])
        asked = True
        told()
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    before = {}
    try:
        for number in _CODES:
            before[number] = signal.signal(number, end)
    except ValueError:  # not the main thread: whoever runs us minds the signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(code: ExitCode) -> None:
    with suppress(OSError, ValueError):
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(code)


@contextmanager
def within(seconds: float, late: Callable[[], LdimportError]) -> Iterator[None]:
    """Inside, at most so many seconds pass: then the error ``late()``. Where the system has
    no timer (Windows) or this is not the main thread, the inner time limits must do."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise late()

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
