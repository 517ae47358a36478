"""Looking after an engine's folder: is it sound, and starting over."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ldimport.engine.blobs import BlobStore
from ldimport.engine.catalogue import FILE, KIND, Catalogue
from ldimport.errors import LockedError, StateFileError
from ldimport.system import ProcessLock

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found: numbers of entries, open images, stored originals and their bytes;
    originals that are ``missing`` or ``damaged`` (sha256), what SQLite complains about."""

    entries: int
    open_images: int
    originals: int
    bytes: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    complaints: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.damaged or self.complaints)


def check(folder: Path, tick: Callable[[int], None] | None = None) -> Health:
    """Read the whole catalogue and every stored original; ``tick`` gets the originals read so
    far. Raises StateFileError when there is no engine in ``folder``."""
    _there(folder)
    catalogue, store = Catalogue(folder), BlobStore(folder)
    try:
        with catalogue.reading() as connection:
            complaints = _complaints(connection)
            entries = _count(connection, "SELECT count(*) FROM media")
            waiting = _count(connection, "SELECT count(*) FROM item WHERE status IS NULL")
            blobs = [
                (str(row["sha256"]), int(row["size"]))
                for row in connection.execute("SELECT DISTINCT sha256, size FROM asset")
            ]
    finally:
        catalogue.close()
    missing, damaged = [], []
    for n, (sha256, _) in enumerate(blobs, 1):
        found = _digest(store.path(sha256))
        if found is None:
            missing.append(sha256)
        elif found != sha256:
            damaged.append(sha256)
        if tick is not None:
            tick(n)
    total = sum(size for _, size in blobs)
    return Health(entries, waiting, len(blobs), total, tuple(missing), tuple(damaged), complaints)


def holdings(catalogue: Catalogue) -> tuple[int, int]:
    """How many entries there are, and the bytes of all originals."""
    with catalogue.reading() as connection:
        entries = _count(connection, "SELECT count(*) FROM media")
        return entries, _count(connection, "SELECT coalesce(sum(size), 0) FROM asset")


def reset(folder: Path) -> None:
    """Remove the engine in ``folder`` with all it stores; nothing else that stands there. Raises
    StateFileError when there is none, LockedError while a worker is at work."""
    _there(folder)
    Catalogue(folder).close()  # refuses what is not ours
    workers = folder / "workers"
    for path in workers.glob("*.lock") if workers.is_dir() else ():
        if ProcessLock(path).held():
            raise LockedError(
                f"workers are busy with the engine in {folder}",
                hint="end the submit, watch, worker or serve that runs them first",
            )
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        (folder / name).unlink(missing_ok=True)
    for name in ("blobs", "tmp", "workers"):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)


def _there(folder: Path) -> None:
    if not (folder / FILE).is_file():
        raise StateFileError(
            f"there is no engine in {folder}", hint=KIND.way_out, code="state-missing"
        )


def _complaints(connection: sqlite3.Connection) -> tuple[str, ...]:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    found = [text for text in found if text != "ok"]
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    if broken:
        found.append(f"{len(broken)} rows refer to rows that are not there")
    return tuple(found)


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _digest(path: Path) -> str | None:
    """sha256 of a file; None when it is not there."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
