"""Stored bytes, named by their sha256: the contract of whatever keeps them, and a folder of blobs.

Putting is two steps, since a row may name a blob only once its bytes are durable: a worker puts a
group, ``settle`` makes all of it durable under its names, the rows are committed, ``forget``. What
a writer has settled and not forgotten may have no row: when it dies, ``recover`` removes that.
A bucket would upload on ``put`` if the name is absent, keep a list ``pending/<writer>`` for
``recover``, and have nothing to settle.
``tests/engine/test_blobs_contract.py`` runs against every implementation.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path
from typing import Protocol

from ldimport.errors import StateFileError
from ldimport.system import (
    FORBIDDEN,
    durable_folder,
    full_disk,
    private_folder,
    scarce,
    sync_folder,
)

MOST_OPEN = 64
"""Files of a group that wait open for their sync."""
_NOTE = "group"
_BLOB = re.compile(r"[0-9a-f]{64}")


class BlobWriter(Protocol):
    """One worker's way in; not shared. Raises TemporaryError when nothing can be written."""

    def put(self, data: bytes, sha256: str | None = None) -> str:
        """Take these bytes into the current group, if they are not stored yet; returns their
        sha256, which the caller may know already. Cheap: nothing is durable yet."""

    def settle(self) -> None:
        """Make the group durable under its names. After an error nothing of it counts as stored:
        a second call may not claim success for bytes that were lost."""

    def missing(self) -> set[str]:
        """Blobs of the group that somebody has removed since they were put. Asked where nobody
        may ``recover`` (see ``WorkerSession.work``)."""

    def forget(self) -> None:
        """The group has its rows; the next one begins."""


class Blobs(Protocol):
    """All blobs. A blob never changes: who reads one sees all of its bytes or none. ``scratch`` is
    a folder for bytes under way, there once there is a writer; None: any."""

    scratch: Path | None

    def size(self, sha256: str) -> int | None:
        """How many bytes are stored under this name; None when none are."""

    def open(self, sha256: str) -> BufferedIOBase:
        """The bytes, to be read from any place. Raises FileNotFoundError."""

    def delete(self, sha256: str) -> None:
        """Remove a blob; harmless when it is not there. Who has it open can read on."""

    def writer(self, name: str) -> BlobWriter:
        """A way in for the worker of this name, which no other has."""

    def parts(self) -> Sequence[str]:
        """What all names are divided into, by how they begin."""

    def stored(self, part: str) -> Sequence[str]:
        """The names of this part that no writer has under way; one that begins meanwhile with
        bytes that are stored sees by ``missing`` when they go."""

    def leftovers(self) -> Sequence[str]:
        """Names of writers that have not ended in order, or are at work."""

    def recover(self, name: str, unreferenced: Callable[[Iterable[str]], Iterable[str]]) -> None:
        """Clear up behind a writer that is at its end, or lost its leases: delete those of its
        blobs that ``unreferenced`` picks out, then all that it had under way."""


# -- a folder -------------------------------------------------------------------------------


class BlobFolder(Blobs):
    """Blobs in ``folder``, as ``blobs/ab/<sha256>``. A worker writes each one to
    ``tmp/<worker>/<sha256>`` first; ``settle`` syncs a group, notes its names in
    ``tmp/<worker>/group`` and moves it into place, ``forget`` removes the note: so all that a dead
    worker had under way stands in its folder."""

    def __init__(self, folder: Path) -> None:
        self._places = folder / "blobs"
        self.scratch = self._temporary = folder / "tmp"

    def size(self, sha256: str) -> int | None:
        with Disk(self._places), suppress(FileNotFoundError):
            return os.stat(_place(self._places, sha256)).st_size
        return None

    def open(self, sha256: str) -> BufferedIOBase:
        return open(_place(self._places, sha256), "rb")

    def delete(self, sha256: str) -> None:
        with Disk(self._places), suppress(FileNotFoundError):
            os.unlink(_place(self._places, sha256))

    def writer(self, name: str) -> FolderWriter:
        folder = self._temporary / name
        with Disk(folder):
            durable_folder(folder)
            durable_folder(self._places)
        return FolderWriter(self._places, folder)

    def parts(self) -> Sequence[str]:
        return [f"{n:02x}" for n in range(256)]

    def stored(self, part: str) -> Sequence[str]:
        with Disk(self._places), suppress(FileNotFoundError):
            stored = set(os.listdir(self._places / part))  # first: see forget
            return sorted(stored.difference(*map(_under_way, self._temporary.iterdir())))
        return []

    def leftovers(self) -> Sequence[str]:
        with Disk(self._temporary), suppress(FileNotFoundError):
            return [each.name for each in os.scandir(self._temporary) if each.is_dir()]
        return []

    def recover(self, name: str, unreferenced: Callable[[Iterable[str]], Iterable[str]]) -> None:
        folder = self._temporary / name
        with Disk(folder), suppress(FileNotFoundError):
            for sha256 in unreferenced(_under_way(folder)):
                self.delete(sha256)
            shutil.rmtree(folder)

    def remove_all(self) -> None:
        """Remove every blob and everything under way."""
        for folder in (self._places, self._temporary):
            with Disk(folder), suppress(FileNotFoundError):
                shutil.rmtree(folder)


class FolderWriter(BlobWriter):
    """One worker's way in, through its own ``folder``."""

    def __init__(self, places: Path, folder: Path) -> None:
        self._places = str(places)
        self._folder = str(folder)
        self._disk = Disk(folder)
        self._durable: set[str] = set()
        """Folders of places that this writer knows to be durable."""
        self._group: dict[str, bool] = {}
        """All blobs of the group, and whether they still stand under their first names."""
        self._unsynced: dict[str, int] = {}
        """Their open files."""

    def put(self, data: bytes, sha256: str | None = None) -> str:
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        if sha256 not in self._group:
            with self._disk:
                if not self._group:  # the folder has gone if the leases were lost
                    private_folder(Path(self._folder))
                fresh = not _exists(_place(self._places, sha256))
                if fresh:
                    if len(self._unsynced) >= MOST_OPEN:
                        self._sync()
                    first = f"{self._folder}/{sha256}"
                    self._unsynced[first] = _written(first, data)
                self._group[sha256] = fresh
        return sha256

    def settle(self) -> None:
        """Files first (one that cannot be synced is thrown away), then the note that names them,
        then each folder once."""
        with self._disk:
            self._sync()
            moves = [sha256 for sha256, fresh in self._group.items() if fresh]
            folders = {f"{self._places}/{sha256[:2]}" for sha256 in self._group}
            if moves:
                note = f"{self._folder}/{_NOTE}"
                self._unsynced[note] = _written(note, "\n".join(self._group).encode())
                self._sync()
                sync_folder(self._folder)
            self._make(folders - self._durable)
            for sha256 in moves:
                os.replace(f"{self._folder}/{sha256}", _place(self._places, sha256))
                self._group[sha256] = False
            for folder in folders:
                sync_folder(folder)

    def _sync(self) -> None:
        while self._unsynced:
            path, descriptor = self._unsynced.popitem()
            try:
                os.fsync(descriptor)
            except OSError:
                os.unlink(path)
                raise
            finally:
                os.close(descriptor)

    def _make(self, folders: set[str]) -> None:
        """Durably, even those that are there: another worker may be about to."""
        for folder in folders:
            private_folder(Path(folder))
        if folders:
            sync_folder(self._places)
        self._durable |= folders

    def missing(self) -> set[str]:
        with self._disk:
            return {each for each in self._group if not _exists(_place(self._places, each))}

    def forget(self) -> None:
        with self._disk, suppress(FileNotFoundError):
            if self._group:
                os.unlink(f"{self._folder}/{_NOTE}")
        self._group.clear()


def _place(places: Path | str, sha256: str) -> str:
    return f"{places}/{sha256[:2]}/{sha256}"


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def _under_way(folder: Path) -> set[str]:
    """The names of a writer's blobs that may have no row yet."""
    names = set[str]()
    with suppress(FileNotFoundError):  # done while we look
        names.update(os.listdir(folder))
        names.update((folder / _NOTE).read_text(errors="replace").split("\n"))
    return {name for name in names if _BLOB.fullmatch(name)}


def _written(path: str, data: bytes) -> int:
    """The descriptor of a new file with these bytes, which are not durable yet."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    try:
        size = os.write(descriptor, data)
        while size < len(data):
            size += os.write(descriptor, memoryview(data)[size:])
        if hasattr(os, "posix_fadvise"):  # begin writing to disk now, for the group's sync
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        os.close(descriptor)
        os.unlink(path)
        raise
    return descriptor


class Disk:
    """What a disk answers becomes an error of ours: a place that cannot be used, or no room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        if not isinstance(error, OSError):
            return
        why = error.strerror or str(error)
        if error.errno in FORBIDDEN:
            text = f"{error.filename or self._folder} cannot be used: {why}"
            hint = "name another folder with --engine FOLDER"
            raise StateFileError(text, hint=hint, code="state-unusable") from error
        raise scarce(error) or full_disk(self._folder, why) from error
