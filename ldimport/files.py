"""Files that appear only when they are whole, and lines that wait on disk meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

from ldimport.errors import LdimportError, TemporaryError, UsageError


class NewFile:
    """A text file written under a temporary name beside ``path``; ``commit`` gives it its name,
    ``discard`` removes it. As a context manager it does the one at the end, the other after an
    error. Raises UsageError where no such file can be, TemporaryError when the disk is full."""

    def __init__(self, path: str | Path, encoding: str = "utf-8") -> None:
        self.path = Path(path)
        if self.path.is_dir():  # renaming would fail, but only after all the work
            raise UsageError(f"{self.path} is a folder", code="unwritable")
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            self._file = self._temporary.open("w", encoding=encoding, newline="")
        except OSError as error:
            raise unwritable(self.path, error) from error

    def write(self, text: str) -> None:
        """Write on."""
        try:
            self._file.write(text)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def commit(self) -> None:
        """Close the file and let it take the place of ``path``."""
        try:
            self._file.close()
            self._temporary.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def discard(self) -> None:
        """Remove what was written. After ``commit`` there is nothing to remove."""
        try:
            self._file.close()
        except OSError:  # a full disk refuses the last bytes of a file that goes anyway
            pass
        finally:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.discard()


class Spool:
    """Lines that wait in a nameless file until what stands before them is known. ``path`` is
    what they are for, to be named in errors."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.count = 0

    def add(self, line: bytes) -> None:
        """Add a line; it must not hold a line break."""
        try:
            if self._file is None:
                self._file = TemporaryFile()  # noqa: SIM115  closed by close
            self._file.write(line + b"\n")
        except OSError as error:
            raise unwritable(self._path, error) from error
        self.count += 1

    def __iter__(self) -> Iterator[bytes]:
        """All lines from the first, without their ends. Nothing can be added after."""
        if self._file is None:
            return
        try:
            self._file.seek(0)
        except OSError as error:
            raise unwritable(self._path, error) from error
        for line in self._file:
            yield line[:-1]

    def close(self) -> None:
        """Free the space. May be called twice."""
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError:  # a full disk refuses bytes that nobody wants any more
            self._file = None


def unwritable(path: Path, error: OSError) -> LdimportError:
    """Why a file cannot be written, as an error that a user can act on."""
    reason = error.strerror or str(error)
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return UsageError(f"{path.parent}: no such folder", code="no-such-file")
    if isinstance(error, PermissionError):
        return UsageError(f"{path} cannot be written: {reason}", code="unwritable")
    return TemporaryError(f"{path} cannot be written: {reason}", code="write")
