"""The one writer of files: whole or not at all, readable by their owner only, and nothing that is
not a regular file is ever replaced. Also logs, files that must be new, and lines that wait on disk.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TextIO

from ldimport.errors import LdimportError, TemporaryError, UsageError
from ldimport.harmless import HIDDEN, spoken
from ldimport.system import clear_up, hold, sync_folder

STDOUT = "-"
"""The path that means standard output."""

_TEMPORARY = (".ldimport-", ".tmp")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MOST_LINKS = 40
_OBEYED = re.compile(f"[\x00-\x08\x0b-\x1f{HIDDEN}]")
_USAGE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG, errno.EEXIST,
          errno.EISDIR, errno.ENXIO, errno.EBADF}  # fmt: skip
"""No later time will help; another path does."""


class NewFile:
    """A text file written under a temporary name beside ``path``; ``commit`` gives it its name,
    durably and with mode 0600, ``discard`` removes it, and so does the next one beside it after
    a kill. As a context manager it does the one at the end, the other after an error.

    A symbolic link stays: the file that it points to is replaced. What is no regular file
    (a device, a FIFO), ``-`` and names of open descriptors (``/dev/stdout``, ``/dev/fd/3``) are
    written to directly, and keep what was written before an error. Raises UsageError where no
    such file can be, TemporaryError when the disk is full, BrokenPipeError when nobody reads."""

    def __init__(self, path: str | Path, encoding: str = "utf-8") -> None:
        self.path = Path(path)
        self._temporary: Path | None = None
        with _writing(self.path):
            if self.path.is_dir():  # renaming would fail, but only after all the work
                raise UsageError(f"{self.path} is a folder", code="unwritable")
            linked = self.path.is_symlink()
            self._target = Path(os.path.realpath(self.path)) if linked else self.path
            self._file = os.fdopen(self._open(), "w", encoding=encoding, newline="")
            self._on_terminal = self._file.isatty()

    def _open(self) -> int:
        descriptor = _descriptor(str(self.path))
        if descriptor is not None:
            sys.stdout.flush()
            return os.dup(descriptor)
        if not _replaceable(self._target):
            return os.open(self._target, os.O_WRONLY)
        clear_up(self._target.parent, *_TEMPORARY)
        while True:
            opened, name = tempfile.mkstemp(_TEMPORARY[1], _TEMPORARY[0], self._target.parent)
            hold(opened)
            if os.fstat(opened).st_nlink:  # else somebody cleared it up before it was locked
                self._temporary = Path(name)
                return opened
            os.close(opened)

    def encode_as(self, encoding: str) -> None:
        """In another encoding, as long as nothing is written."""
        self._file.reconfigure(encoding=encoding)

    @property
    def by_name(self) -> Path | None:
        """The temporary name, for what writes files by their names itself; None: there is none."""
        return self._temporary

    def take(self, path: Path) -> None:
        """Write the bytes of another file."""
        with _writing(self.path), path.open("rb") as other:
            self._file.flush()
            shutil.copyfileobj(other, self._file.buffer)
            self._file.buffer.flush()

    def write(self, text: str) -> None:
        """Write on."""
        try:
            self._file.write(spoken(_OBEYED.sub("", text)) if self._on_terminal else text)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def commit(self) -> None:
        """Close the file and let it take the place of ``path``."""
        with _writing(self.path):
            if self._temporary is None:
                self._file.close()
                return
            _sync(self._file)
            self._temporary.chmod(0o600)  # whatever the umask is
            if sys.platform == "win32":
                self._file.close()
            self._temporary.replace(self._target)
            self._file.close()
            sync_folder(self._target.parent)

    def discard(self) -> None:
        """Remove what was written. After ``commit`` there is nothing to remove."""
        with suppress(OSError):  # a full disk refuses the last bytes of a file that goes anyway
            self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.discard()


@contextmanager
def named_file(path: str | Path) -> Iterator[Path]:
    """The name of a file to write, for what writes files by their names: inside it is a temporary
    one, after it a ``NewFile``, which says what is raised."""
    with NewFile(path) as file:
        if file.by_name is not None:
            yield file.by_name
            return
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "file"
            yield place
            file.take(place)


def appended(path: Path) -> TextIO:
    """A log file, opened to write on at its end; a new one has mode 0600. Unlike ``NewFile`` it
    follows no symbolic link but those of open descriptors (``/dev/stderr``): a log is opened at
    the same place again and again, also below folders where others may write. Raises as
    ``NewFile`` does; writing raises OSError."""
    with _writing(path):
        if (opened := _descriptor(str(path))) is not None:
            opened = os.dup(opened)
        else:
            opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK, 0o600)
    return os.fdopen(opened, "a", encoding="utf-8")


def write_new(path: Path, text: str) -> None:
    """Write a file that was not there before, durably and with mode 0600. Raises UsageError when
    anything (a link too) has its name, and as ``NewFile`` does."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    with _writing(path):
        opened = os.open(path, flags, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
            _sync(file)
        sync_folder(path.parent)


class TextList:
    """Texts written to ``file`` one after the other: ``before`` the first, ``between`` two."""

    def __init__(self, file: NewFile, before: str = "", between: str = "") -> None:
        self._file = file
        self._before = before
        self._between = between
        self.count = 0

    def add(self, text: str) -> None:
        """Write one text."""
        self._file.write(self._between if self.count else self._before)
        self._file.write(text)
        self.count += 1

    def end(self, after: str) -> None:
        """Write what stands behind the last one, or behind ``before`` if there was none."""
        self._file.write(after if self.count else self._before + after)


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
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by close
            self._file.write(line + b"\n")
        except OSError as error:
            raise unwritable(self._path, error) from error
        self.count += 1

    def __iter__(self) -> Iterator[bytes]:
        """All lines from the first, without their ends. Nothing can be added after."""
        if self._file is None:
            return
        with _writing(self._path):
            self._file.seek(0)
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


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> LdimportError | BrokenPipeError:
    """Why a file cannot be written, as an error that a user can act on; a reader that went away
    stays what it is."""
    reason = error.strerror or str(error)
    if isinstance(error, BrokenPipeError):
        return BrokenPipeError(*error.args)
    gone = isinstance(error, (FileNotFoundError, NotADirectoryError))
    if gone and "usable temporary" not in reason:  # so Python says that no folder takes any
        return UsageError(f"{path.parent}: no such folder", code="no-such-file")
    if error.errno in _USAGE:
        return UsageError(f"{path} cannot be written: {reason}", code="unwritable")
    return TemporaryError(f"{path} cannot be written: {reason}", code="write")


def _descriptor(path: str) -> int | None:
    """The open descriptor that a path names, itself or over links. Its name is not opened again:
    that would begin a file anew to which the shell appends."""
    pattern = re.compile(rf"/(?:dev|proc/(?:self|{os.getpid()}))/fd/(\d+)")
    if path == STDOUT:
        return 1
    for _ in range(_MOST_LINKS):
        path = os.path.abspath(path)  # noqa: PTH100  resolve() would follow all links at once
        if path in _STREAMS:
            return _STREAMS[path]
        if found := pattern.fullmatch(path):
            return int(found[1])
        if not Path(path).is_symlink():
            return None
        path = os.path.join(os.path.dirname(path), os.readlink(path))  # noqa: PTH115,PTH118,PTH120
    return None


def _replaceable(path: Path) -> bool:
    """Whether nothing is there, or a regular file."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _sync(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())
