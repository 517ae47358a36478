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
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
    """All blobs. A blob never changes: who reads one sees all of its bytes or none."""

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
    ``tmp/<worker>/<sha256>`` first, ``settle`` syncs a group and links it into place, ``forget``
    removes the first names: so all that a dead worker had under way stands in its folder."""

    def __init__(self, folder: Path) -> None:
        self._places = folder / "blobs"
        self._temporary = folder / "tmp"

    def size(self, sha256: str) -> int | None:
        with _disk(self._places), suppress(FileNotFoundError):
            return self._place(sha256).stat().st_size
        return None

    def open(self, sha256: str) -> BufferedIOBase:
        return self._place(sha256).open("rb")

    def delete(self, sha256: str) -> None:
        with _disk(self._places):
            self._place(sha256).unlink(missing_ok=True)

    def writer(self, name: str) -> FolderWriter:
        folder = self._temporary / name
        with _disk(folder):
            durable_folder(folder)
            durable_folder(self._places)
        return FolderWriter(self._place, folder)

    def parts(self) -> Sequence[str]:
        return [f"{n:02x}" for n in range(256)]

    def stored(self, part: str) -> Sequence[str]:
        with _disk(self._places), suppress(FileNotFoundError):
            stored = {path.name for path in (self._places / part).iterdir()}  # first: see forget
            return sorted(stored - {path.name for path in self._temporary.glob(f"*/{part}*")})
        return []

    def leftovers(self) -> Sequence[str]:
        with _disk(self._temporary), suppress(FileNotFoundError):
            return [path.name for path in self._temporary.iterdir()]
        return []

    def recover(self, name: str, unreferenced: Callable[[Iterable[str]], Iterable[str]]) -> None:
        folder = self._temporary / name
        with _disk(folder), suppress(FileNotFoundError):
            names = [path.name for path in folder.iterdir() if len(path.name) == 64]
            for sha256 in unreferenced(names):
                self.delete(sha256)
            shutil.rmtree(folder)

    def remove_all(self) -> None:
        """Remove every blob and everything under way."""
        for folder in (self._places, self._temporary):
            with _disk(folder), suppress(FileNotFoundError):
                shutil.rmtree(folder)

    def _place(self, sha256: str) -> Path:
        return self._places / sha256[:2] / sha256


class FolderWriter(BlobWriter):
    """One worker's way in, through its own ``folder``."""

    def __init__(self, place: Callable[[str], Path], folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._durable: set[Path] = set()
        """Folders of places that this writer knows to be durable."""
        self._group: dict[str, Path | None] = {}
        """First name of each blob; None when its bytes were stored before."""

    def put(self, data: bytes, sha256: str | None = None) -> str:
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        with _disk(self._folder):
            if not self._group:  # the folder has gone if the leases were lost
                private_folder(self._folder)
            if sha256 not in self._group:
                temporary = None if self._place(sha256).exists() else self._folder / sha256
                if temporary is not None:
                    _write(temporary, data)
                self._group[sha256] = temporary
        return sha256

    def settle(self) -> None:
        """Files first (one that cannot be synced is thrown away), then each folder once."""
        fresh = [path for path in self._group.values() if path is not None]
        folders = {self._place(sha256).parent for sha256 in self._group}
        with _disk(self._folder):
            for temporary in fresh:
                _sync_file(temporary)
            if fresh:
                sync_folder(self._folder)
            self._make(folders - self._durable)
            for temporary in fresh:
                with suppress(FileExistsError):  # another worker stored the same bytes meanwhile
                    os.link(temporary, self._place(temporary.name))
            for folder in folders:
                sync_folder(folder)

    def _make(self, folders: set[Path]) -> None:
        """Durably, even those that are there: another worker may be about to."""
        for folder in folders:
            private_folder(folder)
        for parent in {folder.parent for folder in folders}:
            sync_folder(parent)
        self._durable |= folders

    def missing(self) -> set[str]:
        with _disk(self._folder):
            return {sha256 for sha256 in self._group if not self._place(sha256).exists()}

    def forget(self) -> None:
        with _disk(self._folder):
            for temporary in filter(None, self._group.values()):
                temporary.unlink(missing_ok=True)
        self._group.clear()


def _write(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            if hasattr(os, "posix_fadvise"):  # begin writing to disk now, for the group's sync
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in FORBIDDEN:
            text = f"{error.filename or folder} cannot be used: {why}"
            hint = "name another folder with --engine FOLDER"
            raise StateFileError(text, hint=hint, code="state-unusable") from error
        raise scarce(error) or full_disk(folder, why) from error
