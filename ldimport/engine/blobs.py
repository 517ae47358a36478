"""Stored bytes, named by their sha256: ``blobs/ab/<sha256>``.

A worker writes each blob into its own folder ``tmp/<worker>/<sha256>`` first. ``settle`` makes a
group of them durable and links them into place; ``forget`` removes the first names once the
catalogue has their rows. So what a dead worker had under way is exactly what its folder lists,
and ``recover`` needs to look at nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ldimport.errors import TemporaryError
from ldimport.system import sync_folder


class BlobStore:
    """All blobs below ``folder``; reading needs nothing more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "blobs"
        self.temporary = folder / "tmp"

    def path(self, sha256: str) -> Path:
        """Where these bytes stand, or would stand."""
        return self.folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether these bytes are stored."""
        return self.path(sha256).is_file()

    def read(self, sha256: str) -> bytes:
        """The stored bytes. Raises OSError."""
        return self.path(sha256).read_bytes()

    def leftovers(self) -> list[str]:
        """Names of workers that have a folder for blobs under way."""
        with _disk(self.temporary), suppress(FileNotFoundError):
            return [path.name for path in self.temporary.iterdir()]
        return []

    def recover(self, worker: str, without_row: Callable[[Iterable[str]], list[str]]) -> None:
        """Clear up behind a dead worker: remove its temporary files, and its blobs that have no
        row. Call it while holding the catalogue's write lock, so that nobody records one of
        these in the same moment."""
        folder = self.temporary / worker
        with suppress(FileNotFoundError):
            names = [path.name for path in folder.iterdir() if len(path.name) == 64]
            for sha256 in without_row(names):
                self.path(sha256).unlink(missing_ok=True)
            shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class _Put:
    """A blob of the current group; ``temporary`` is None when its bytes were stored before."""

    place: Path
    temporary: Path | None


class BlobWriter:
    """One worker's way into the store. ``put`` is cheap; nothing is durable before ``settle``."""

    def __init__(self, store: BlobStore, worker: str) -> None:
        self.store = store
        self.folder = store.temporary / worker
        self._group: dict[str, _Put] = {}

    def open(self) -> None:
        """Make this worker's folder."""
        with _disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, data: bytes, sha256: str | None = None) -> str:
        """Take these bytes into the current group; returns their sha256, which the caller may
        know already."""
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        if sha256 not in self._group:
            place = self.store.path(sha256)
            temporary = None if place.exists() else self.folder / sha256
            if temporary is not None:
                _write(temporary, data)
            self._group[sha256] = _Put(place, temporary)
        return sha256

    def settle(self) -> None:
        """Make the group durable under its final names: files, then folders, each folder once.

        A file that cannot be synced is thrown away and TemporaryError raised, since a second
        sync may claim success for bytes that were lost.
        """
        if not self._group:
            return
        fresh = [(put.temporary, put.place) for put in self._group.values() if put.temporary]
        with _disk(self.folder):
            for temporary, _ in fresh:
                _sync_file(temporary)
            if fresh:
                sync_folder(self.folder)
            for temporary, place in fresh:
                _link(temporary, place)
            for folder in {put.place.parent for put in self._group.values()}:
                sync_folder(folder)

    def missing(self) -> set[str]:
        """Blobs of the group that another process removed since ``put`` found them. Asked while
        holding the catalogue's write lock."""
        return {sha256 for sha256, put in self._group.items() if not put.place.exists()}

    def forget(self) -> None:
        """The group has its rows: drop the temporary names."""
        for put in self._group.values():
            if put.temporary is not None:
                put.temporary.unlink(missing_ok=True)
        self._group.clear()


def _write(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with _disk(path.parent):
        try:
            with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                _begin_writeback(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _link(temporary: Path, place: Path) -> None:
    if not place.parent.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(place.parent.parent)
    with suppress(FileExistsError):  # another worker stored the same bytes meanwhile
        os.link(temporary, place)


def _begin_writeback(descriptor: int) -> None:
    """Start writing to disk now, so that the group's syncs find most of it done."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


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
        raise TemporaryError(
            f"the disk with {folder} is full or does not accept writes: {error.strerror}",
            hint="free some space, then run the same command again; what was acknowledged is safe",
            code="disk-full",
        ) from error
