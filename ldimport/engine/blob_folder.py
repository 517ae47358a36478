"""Blobs in a folder: ``blobs/ab/<sha256>``. See ``blobs`` for the contract.

A worker writes each blob to ``tmp/<worker>/<sha256>`` first. ``settle`` syncs a group and links it
into place; ``forget`` removes the first names. So what a dead worker had under way is exactly what
its folder lists, and ``recover`` needs to look at nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from ldimport.engine.blobs import Blobs, BlobWriter
from ldimport.errors import TemporaryError
from ldimport.system import sync_folder


class BlobFolder(Blobs):
    """All blobs below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._places = folder / "blobs"
        self._temporary = folder / "tmp"

    def size(self, sha256: str) -> int | None:
        try:
            return self._place(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, sha256: str) -> BufferedIOBase:
        return self._place(sha256).open("rb")

    def delete(self, sha256: str) -> None:
        self._place(sha256).unlink(missing_ok=True)

    def writer(self, name: str) -> FolderWriter:
        folder = self._temporary / name
        with _disk(folder):
            for each in (folder, self._places):
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(self._places.parent)
        return FolderWriter(self._place, folder)

    def leftovers(self) -> Sequence[str]:
        with _disk(self._temporary), suppress(FileNotFoundError):
            return [path.name for path in self._temporary.iterdir()]
        return []

    def recover(self, name: str, unreferenced: Callable[[Iterable[str]], Iterable[str]]) -> None:
        folder = self._temporary / name
        with suppress(FileNotFoundError):
            names = [path.name for path in folder.iterdir() if len(path.name) == 64]
            for sha256 in unreferenced(names):
                self.delete(sha256)
            shutil.rmtree(folder)

    def remove_all(self) -> None:
        """Remove every blob and everything under way."""
        for folder in (self._places, self._temporary):
            if folder.is_dir():
                shutil.rmtree(folder)

    def _place(self, sha256: str) -> Path:
        return self._places / sha256[:2] / sha256


@dataclass(frozen=True, slots=True)
class _Put:
    """A blob of the current group; ``temporary`` is None when its bytes were stored before."""

    place: Path
    temporary: Path | None


class FolderWriter(BlobWriter):
    """One worker's way in, through its own ``folder``."""

    def __init__(self, place: Callable[[str], Path], folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._group: dict[str, _Put] = {}

    def put(self, data: bytes, sha256: str | None = None) -> str:
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        if sha256 not in self._group:
            place = self._place(sha256)
            temporary = None if place.exists() else self._folder / sha256
            if temporary is not None:
                _write(temporary, data)
            self._group[sha256] = _Put(place, temporary)
        return sha256

    def settle(self) -> None:
        """Files first, then folders, each folder once. A file that cannot be synced is thrown
        away, since a second sync may claim success for bytes that were lost."""
        if not self._group:
            return
        fresh = [(put.temporary, put.place) for put in self._group.values() if put.temporary]
        with _disk(self._folder):
            for temporary, _ in fresh:
                _sync_file(temporary)
            if fresh:
                sync_folder(self._folder)
            for temporary, place in fresh:
                _link(temporary, place)
            for folder in {put.place.parent for put in self._group.values()}:
                sync_folder(folder)

    def missing(self) -> set[str]:
        return {sha256 for sha256, put in self._group.items() if not put.place.exists()}

    def forget(self) -> None:
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
