"""Where the engine keeps its jobs, library, outbox and tokens; ``contract`` says what is promised.

Here it is decided which implementation a folder has.
"""

import time
from collections.abc import Callable
from pathlib import Path

from ldimport.engine.store.contract import Follower, Store, Tokens, WorkerSession
from ldimport.engine.store.sqlite.sessions import busy, in_hand
from ldimport.engine.store.sqlite.store import SqliteStore, exists, identity, remove, require

__all__ = ["Follower", "Store", "Tokens", "WorkerSession", "busy", "exists", "identity", "in_hand",
           "open_store", "remove", "require"]  # fmt: skip


def open_store(
    folder: Path, monotonic: Callable[[], float] = time.monotonic, *, write: bool = True
) -> Store:
    """The store in this folder, made when there is none, unless it is only to be read (not
    ``write``). ``monotonic`` is the clock of leases."""
    return SqliteStore(folder, monotonic, write=write)
