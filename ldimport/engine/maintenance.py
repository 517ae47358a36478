"""Looking after an engine's folder: is it sound, and starting over."""

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ldimport.engine import store
from ldimport.engine.blobs import BlobFolder, Blobs
from ldimport.engine.renditions import FOLDER, RenditionFolder


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found: numbers of entries, open images, stored originals and their bytes;
    originals that are ``missing`` or ``damaged`` (sha256), what the store complains about; and
    stored bytes that nothing referred to, which were ``removed``."""

    entries: int
    open_images: int
    originals: int
    bytes: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    complaints: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.damaged or self.complaints)


def check(folder: Path, tick: Callable[[int], None] | None = None) -> Health:
    """Read the whole store and every stored original, and clear up what dead workers left;
    ``tick`` gets the originals read so far. Raises StateFileError when there is no engine in
    ``folder``."""
    store.require(folder)
    blobs = BlobFolder(folder)
    with closing(store.open_store(folder)) as opened:
        complaints = tuple(opened.complaints())
        entries, _ = opened.library.holdings()
        waiting = opened.jobs.open_images()
        opened.clear_up(blobs)
        removed = tuple(each for part in blobs.parts() for each in opened.orphans(blobs, part))
        missing: list[str] = []
        damaged: list[str] = []
        originals = stored = 0
        for originals, (sha256, size) in enumerate(opened.library.blobs(), 1):
            stored += size
            found = _digest(blobs, sha256)
            if found != sha256:
                (missing if found is None else damaged).append(sha256)
            if tick is not None:
                tick(originals)
    counts = entries, waiting, originals, stored
    return Health(*counts, tuple(missing), tuple(damaged), complaints, removed)


def reset(folder: Path) -> None:
    """Remove the engine in ``folder`` with all it stores; nothing else that stands there. Raises
    StateFileError when there is none, LockedError while a worker is at work."""
    store.remove(folder)
    BlobFolder(folder).remove_all()
    RenditionFolder(folder / FOLDER, 0).remove_all()


def _digest(blobs: Blobs, sha256: str) -> str | None:
    """sha256 of the stored bytes; None when there are none."""
    try:
        with blobs.open(sha256) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
