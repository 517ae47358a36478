"""Bodies under way: in memory, as far as all together have room there, else in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import IO, cast

from ldimport.errors import TemporaryError
from ldimport.system import full_disk, scarce

LARGE = 8_000_000
"""Bytes of a body beyond which it goes to disk."""
MOST_IN_MEMORY = 64_000_000
"""The same of all bodies under way together."""


@dataclass(slots=True)
class Shelf:
    """Where the bodies of one owner are kept: ``held`` bytes of them in memory, the large ones in
    files without a name below ``folder`` (None: the system's)."""

    folder: Path | None = None
    held: int = 0

    def file(self) -> IO[bytes]:
        """A new file. Raises OSError."""
        return cast("IO[bytes]", TemporaryFile(dir=self.folder))

    def full(self, error: OSError) -> TemporaryError:
        """What to say when there is none, or it takes no more."""
        folder = self.folder or Path(gettempdir())
        return scarce(error) or full_disk(folder, error.strerror or str(error))


@dataclass(slots=True)
class Body:
    """One body, ``size`` bytes so far; used again after ``clear``."""

    shelf: Shelf
    size: int = 0
    _chunks: list[bytes] = field(default_factory=list)
    _held: int = 0
    _file: IO[bytes] | None = None

    def add(self, chunk: bytes) -> None:
        """What comes next. Raises OSError where a file takes no more."""
        self.size += len(chunk)
        if self._file is not None:
            self._file.write(chunk)
            return
        self._chunks.append(chunk)
        self._held += len(chunk)
        self.shelf.held += len(chunk)
        if self.size > LARGE or self.shelf.held > MOST_IN_MEMORY:
            self._file = self.shelf.file()
            self._file.write(b"".join(self._chunks))
            self._let_go()

    def whole(self) -> bytes:
        """All of it. Raises OSError where a file does not give it back."""
        if self._file is None:
            return b"".join(self._chunks)
        self._file.seek(0)
        return self._file.read()

    def clear(self) -> None:
        """Forget it."""
        self.size = 0
        self._let_go()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _let_go(self) -> None:
        self._chunks.clear()
        self.shelf.held -= self._held
        self._held = 0
