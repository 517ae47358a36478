"""``python -m ldimport.engine.worker_process FOLDER [--parent PID]``: the worker as a process of
its own. It works until SIGTERM, or until the parent is gone (its end of our standard input is
closed, or we have got another parent). Ctrl-C is left to the parent.

An error of the run is one line of JSON on standard error, and its exit code.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from ldimport.engine.blob_folder import BlobFolder
from ldimport.engine.store import open_store
from ldimport.engine.worker import run_worker
from ldimport.errors import LdimportError

GRACE = 0.8
"""Seconds that a worker takes at most to end in order once its parent is gone."""


def main() -> None:
    """Run as ``__main__``."""
    parser = argparse.ArgumentParser(prog="ldimport.engine.worker_process", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, metavar="PID")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="as many work here")
    options = parser.parse_args()
    told = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    if options.parent is not None:
        threading.Thread(target=_watch_parent, args=(options.parent, told), daemon=True).start()
    try:
        with closing(open_store(options.folder)) as store:
            blobs = BlobFolder(options.folder)
            run_worker(store, blobs, told.is_set, workers=options.workers)
    except LdimportError as error:
        said = {"message": error.message, "hint": error.hint, "code": error.code}
        sys.stderr.write(json.dumps(said) + "\n")
        sys.exit(error.exit_code)


def _watch_parent(parent: int, told: threading.Event) -> None:
    """End with the parent."""
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


if __name__ == "__main__":
    main()
