"""Signals during a command: Ctrl-C, SIGTERM, SIGHUP end it in order, a second one at once; an alarm
limits how long a question may take."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ldimport.errors import LdimportError, Terminated
from ldimport.system import ENDING, on_signals

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def ends_in_order(told: Callable[[], None]) -> Iterator[None]:
    """Inside, the first signal calls ``told`` (so that a person sees it at once) and raises
    KeyboardInterrupt or Terminated; a second one leaves without cleaning up: what was
    acknowledged is durable, and the next run reconciles the rest."""
    asked = False

    def end(number: int) -> None:
        nonlocal asked
        by_hand = number == signal.SIGINT
        if asked:
            _leave(130 if by_hand else 143)
        asked = True
        told()
        raise KeyboardInterrupt if by_hand else Terminated

    with on_signals(*ENDING, call=end):
        yield


def _leave(code: int) -> None:
    with suppress(OSError, ValueError):
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(code)


@contextmanager
def within(seconds: float, late: Callable[[], LdimportError]) -> Iterator[None]:
    """Inside, at most so many seconds pass: then the error ``late()``. Where the system has
    no timer (Windows) or this is not the main thread, the inner time limits must do."""

    def end(number: int) -> None:
        raise late()

    with on_signals("SIGALRM", call=end) as timed:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            if timed:
                signal.setitimer(signal.ITIMER_REAL, 0)
