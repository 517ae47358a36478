"""Stored images in other sizes and formats: made by a limited child when they are asked for, and
kept in a folder of bounded size."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BufferedIOBase, BytesIO
from pathlib import Path
from queue import LifoQueue

from ldimport.causes import Cause
from ldimport.closing import Closing
from ldimport.engine.addresses import type_of
from ldimport.engine.blobs import Disk
from ldimport.engine.records import StoredImage, StoredRendition
from ldimport.engine.worker_pool import cores
from ldimport.errors import Rejected
from ldimport.media.rendition import Rendition
from ldimport.media.sandbox import Sandbox
from ldimport.model import Facts, ImageType, Limits
from ldimport.system import clear_up, hold, private_folder

FOLDER = "renditions"
CHILDREN = 2 if cores() > 3 else 1
"""Processes that draw; workers want the rest of the machine."""
MEMORY = 800_000_000
"""Bytes of address space for each: what AVIF takes for 4,096 x 4,096 pixels."""
_RECIPE = "1"
"""Another one, when the same form is to look different from now on: what is kept counts no more."""
_LIMITS = Limits(max_bytes=1_000_000_000, max_pixels=1_000_000_000, max_frames=1_000_000)
"""What was stored was accepted, perhaps under other limits; the child's time and memory hold."""
_TEMPORARY = (".", ".tmp")
_MAGIC = b"ldimpr1\n"
_HEAD = len(_MAGIC) + hashlib.sha256().digest_size
_USED = 60.0
"""Seconds in which a use of a file is not noted again."""
_MOST_VERDICTS = 10_000
_ITSELF = Rejected(Cause.TOO_MANY_FRAMES)
"""The verdict that the original stands for a form."""
Opens = Callable[[], BufferedIOBase]


class Renditions(Closing):
    """Makes and finds renditions of the originals in the engine's ``folder``, of which at most
    about ``most_bytes`` are kept there; 0 keeps none. May be used by several threads, which take
    turns where something has to be made; several processes may share the folder."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._kept = RenditionFolder(folder / FOLDER, most_bytes)
        self._sandboxes: LifoQueue[Sandbox] = LifoQueue()
        for _ in range(CHILDREN):
            self._sandboxes.put(Sandbox(_LIMITS, memory_bytes=MEMORY))
        self._verdicts: dict[str, Rejected] = {}
        """Of forms that were refused, or for which the original stands, while this lives."""

    def etag(self, image: StoredImage, form: Rendition) -> str:
        """What names the bytes of this rendition, as hex digits; known before they are made."""
        return hashlib.sha256(f"{_RECIPE} {image.sha256} {form.name}".encode()).hexdigest()

    def found(self, image: StoredImage, form: Rendition) -> StoredRendition | None:
        """The rendition, if it needs not be made: it is kept, or its original stands for it (an
        SVG, a form that asks for nothing, an animation of which no size is asked). Raises
        Rejected for one that was refused before."""
        name = self.etag(image, form)
        if form.is_original or image.mime_type == ImageType.SVG.mime:
            return _itself(image)
        verdict = self._verdicts.get(name)
        if verdict is _ITSELF:
            return _itself(image)
        if verdict is not None:
            raise Rejected(verdict.why, verdict.reason)
        size = self._kept.size(name)
        if size is None:
            return None
        return self._rendition(image, form, size, partial(self._open, image, form))

    def made(self, image: StoredImage, form: Rendition) -> StoredRendition:
        """The rendition, made now unless it is found. Raises Rejected when this image cannot be
        drawn so (damaged, too large, too complex), TemporaryError or ConfigError when the decoder
        cannot work, FileNotFoundError when the original is lost."""
        sandbox = self._sandboxes.get()
        try:
            if found := self.found(image, form):  # another thread was faster
                return found
            drawn = self._drawn(sandbox, image, form)
        finally:
            self._sandboxes.put(sandbox)
        if drawn is None:
            return _itself(image)
        self._kept.put(self.etag(image, form), drawn)
        return self._rendition(image, form, len(drawn), partial(BytesIO, drawn))

    def close(self) -> None:
        """End the children; not while something is made. May be called twice."""
        for sandbox in list(self._sandboxes.queue):
            sandbox.close()

    def _drawn(self, sandbox: Sandbox, image: StoredImage, form: Rendition) -> bytes | None:
        with image.open() as file:
            data = file.read()
        facts = Facts(type_of(image.mime_type), image.width, image.height)
        try:
            drawn = sandbox.render(data, facts, form)
        except Rejected as refused:
            self._judge(image, form, refused)
            raise
        if drawn is None:
            self._judge(image, form, _ITSELF)
        return drawn

    def _judge(self, image: StoredImage, form: Rendition, verdict: Rejected) -> None:
        if len(self._verdicts) >= _MOST_VERDICTS:
            self._verdicts.clear()
        self._verdicts[self.etag(image, form)] = verdict

    def _rendition(
        self, image: StoredImage, form: Rendition, size: int, opens: Opens
    ) -> StoredRendition:
        mime_type = form.mime_type(type_of(image.mime_type))
        return StoredRendition(mime_type, size, self.etag(image, form), opens)

    def _open(self, image: StoredImage, form: Rendition) -> BufferedIOBase:
        """One that was kept a moment ago; somebody may have removed it."""
        try:
            return self._kept.open(self.etag(image, form))
        except OSError:
            return self.made(image, form).open()


def _itself(image: StoredImage) -> StoredRendition:
    return StoredRendition(image.mime_type, image.size, image.etag, image.open)


# -- the folder -----------------------------------------------------------------------------


class RenditionFolder:
    """Files by name, of at most about ``most`` bytes together: those that were used longest ago go
    first. Whatever a disk refuses means that nothing is kept; a file that is damaged is removed
    when it is looked for."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._turn = threading.Lock()
        self._total = most
        """Bytes that there are, as far as we know; others may write as well."""
        self._news = 0
        """Bytes written since we have counted."""

    def size(self, name: str) -> int | None:
        """How many bytes are kept under this name, all of them being right; None when none are."""
        if not self._most:
            return None
        path = self._folder / name
        try:
            with path.open("rb") as file:
                whole = file.read(len(_MAGIC)) == _MAGIC
                digest = file.read(_HEAD - len(_MAGIC))
                whole = hashlib.file_digest(file, "sha256").digest() == digest and whole
                size, used = file.tell() - _HEAD, os.fstat(file.fileno()).st_mtime
            if not whole:
                path.unlink()
                return None
            if abs(time.time() - used) > _USED:
                os.utime(path)
        except OSError:
            return None
        return size

    def open(self, name: str) -> BufferedIOBase:
        """A file that stands at the bytes under this name. Raises OSError."""
        file = (self._folder / name).open("rb")
        file.seek(_HEAD)
        return file

    def put(self, name: str, data: bytes) -> None:
        """Keep these bytes, if that is possible; who looks for them sees all of them or none."""
        size = _HEAD + len(data)
        if size > self._most:
            return
        with suppress(OSError):
            private_folder(self._folder)
            descriptor, path = tempfile.mkstemp(_TEMPORARY[1], _TEMPORARY[0], self._folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    hold(descriptor)
                    file.write(_MAGIC + hashlib.sha256(data).digest())
                    file.write(data)
                Path(path).replace(self._folder / name)
            except BaseException:
                Path(path).unlink(missing_ok=True)
                raise
            self._make_room(size)

    def remove_all(self) -> None:
        """Remove the folder. Raises StateFileError or TemporaryError where that is not possible."""
        with Disk(self._folder), suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _make_room(self, size: int) -> None:
        """After so many bytes were written: count, if it is time, and remove what is too much."""
        with self._turn:
            self._total += size
            self._news += size
            if self._total <= self._most and self._news <= self._most // 16:
                return
            clear_up(self._folder, *_TEMPORARY)
            with suppress(OSError):
                self._total, self._news = self._counted(), 0

    def _counted(self) -> int:
        """Bytes that stay, a tenth below the limit if something has to go."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process makes room as well
                stat = path.stat()
                files.append((stat.st_mtime, stat.st_size, path))
        files.sort()
        total = sum(size for _, size, _ in files)
        least = total if total <= self._most else self._most * 9 // 10
        for _, size, path in files:
            if total <= least:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total
