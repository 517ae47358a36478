"""The worker as a process of its own: signals, its parent's death, errors for the parent."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from ldimport.engine.worker import run_worker
from ldimport.errors import LdimportError

GRACE = 0.8
"""Seconds that a worker takes at most to end in order once its parent is gone."""


def main(arguments: list[str] | None = None) -> None:
    """``python -m ldimport.engine.worker FOLDER [--parent PID]``: work until SIGTERM, or until
    the parent is gone (its end of our standard input is closed). Ctrl-C is left to the parent.

    An error of the run is one line of JSON on standard error, and its exit code.
    """
    parser = argparse.ArgumentParser(prog="ldimport.engine.worker", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, metavar="PID")
    parser.add_argument("--crew", type=int, default=1, metavar="N", help="workers like this one")
    options = parser.parse_args(arguments)
    told = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    if options.parent is not None:
        threading.Thread(target=_watch_parent, args=(options.parent, told), daemon=True).start()
    try:
        run_worker(options.folder, told.is_set, crew=options.crew)
    except LdimportError as error:
        sys.stderr.write(error_line(error) + "\n")
        sys.exit(error.exit_code)


def error_line(error: LdimportError) -> str:
    """An error as the parent reads it."""
    return json.dumps({"message": error.message, "hint": error.hint, "code": error.code})


def _watch_parent(parent: int, told: threading.Event) -> None:
    """End with the parent: it closes our standard input by dying, and we get another parent."""
    threading.Thread(target=_await_end_of_input, args=(told,), daemon=True).start()
    while not told.wait(0.2):
        if os.getppid() != parent:
            told.set()
    time.sleep(GRACE)
    os._exit(0)  # a fetch or decoder may be slow to stop; everything recorded is safe


def _await_end_of_input(told: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    told.set()
