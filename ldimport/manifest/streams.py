"""One file of a manifest: its bytes (unpacked, recoded, watched chunk by chunk), its lines by
number, its entries."""

import codecs
import gzip
import io
import os
import zlib
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import BinaryIO, Protocol, cast

from ldimport.errors import ConfigError, ManifestError, how_to_install
from ldimport.manifest.kinds import Detected, Findings, Header
from ldimport.model import Entry, Json, Place

CHUNK = 1 << 20
_LONGEST = 1 << 20
_KEPT = 256
DOS_END = b"\x1a"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_UTF8 = ("utf-8", "utf-8-sig")
_NAMES = {
    "utf-8-sig": "UTF-8 with BOM",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "mac_roman": "Mac Roman",
    **{f"cp{number}": f"Windows-{number}" for number in (1250, 1251, 1252)},
}
_STAMP = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns")
Watch = Callable[[bytes, int], None]
"""Sees every chunk before anybody reads it, and how many bytes of the file on disk are read."""
Position = Callable[[int], None]
"""Gets the bytes of the manifest read so far."""


class ByteStream(io.RawIOBase):
    """The content of ``path``: gzip and zstd are recognised by their first bytes and unpacked.
    ``recode``: an encoding to turn into UTF-8 on the way. ``name`` is for messages. Raises
    ManifestError for damaged compression and bytes that are not in the encoding, ConfigError when
    zstd needs its extra."""

    def __init__(
        self, path: str, name: str, *, recode: str | None = None, watch: Watch | None = None
    ) -> None:
        super().__init__()
        self._path = path
        self._name = name
        self._watch = watch
        self._left = self._kept = b""
        self._recode = recode or ""
        self._decoder = codecs.getincrementaldecoder(recode)() if recode else None
        self._file = cast("BinaryIO", open(path, "rb", buffering=0))  # noqa: SIM115, PTH123
        try:
            head = self._file.read(4)
            self._file.seek(0)
            self._content = self._unpacked(head)
        except BaseException:
            self._file.close()
            raise

    def _unpacked(self, head: bytes) -> BinaryIO:
        if head.startswith(_GZIP):
            return cast("BinaryIO", gzip.GzipFile(fileobj=self._file))
        if head != _ZSTD:
            return self._file
        try:
            import zstandard
        except ImportError as error:
            what = "is compressed with zstd, which needs a part that is not installed"
            hint = how_to_install("zstd")
            raise ConfigError(f"{self._name} {what}", hint=hint, code="missing-extra") from error
        unpacker = zstandard.ZstdDecompressor()
        reader = unpacker.stream_reader(self._file, read_across_frames=True, closefd=False)
        return cast("BinaryIO", reader)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill ``buffer``; 0 at the end."""
        view = memoryview(cast("bytearray", buffer)).cast("B")
        data = self._left or self._next(len(view))
        taken = data[: len(view)]
        self._left = data[len(view) :]
        view[: len(taken)] = taken
        return len(taken)

    def _next(self, size: int) -> bytes:
        """Without the marks by which DOS ends a file; they are kept back until more follows."""
        body = b""
        while not body and (data := self._kept + self._decoded(size)) != self._kept:
            body = data.rstrip(DOS_END)
            body = data if body.endswith(b"\0") else body  # half a character of UTF-16
            self._kept = data[len(body) :]
        return body

    def _decoded(self, size: int) -> bytes:
        data = self._read(size)
        if self._decoder is not None:
            try:
                while not (text := self._decoder.decode(data, final=not data)) and data:
                    data = self._read(size)
            except UnicodeDecodeError as error:
                raise undecodable(self._path, self._name, self._recode) from error
            data = text.encode("utf-8", "surrogatepass")
        if self._watch is not None and data:
            self._watch(data, self._file.tell())
        return data

    def _read(self, size: int) -> bytes:
        try:
            return self._content.read(size)
        except Exception as error:
            damaged = isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile))
            if not damaged and type(error).__name__ != "ZstdError":
                raise
            hint = "pack it again, or give the unpacked file"
            message = f"{self._name} cannot be unpacked: {error}"
            raise ManifestError(message, hint=hint, code="damaged-archive") from error

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            if self._content is not self._file:
                self._content.close()
            self._file.close()
        super().close()


def buffered(
    path: str, name: str, *, recode: str | None = None, watch: Watch | None = None
) -> io.BufferedReader:
    """A buffered ``ByteStream``; ``watch`` sees chunks of about 1 MB."""
    return io.BufferedReader(ByteStream(path, name, recode=recode, watch=watch), CHUNK)


def encoding_name(encoding: str) -> str:
    """How people call it: ``cp1252`` is Windows-1252."""
    return _NAMES.get(encoding, encoding.upper() if encoding.islower() else encoding)


def undecodable(path: str, name: str, encoding: str) -> ManifestError:
    """The error for a file that is not in ``encoding``, with the place of the first wrong byte."""
    code, hint = "encoding", "say what it is: --encoding NAME"
    if encoding.startswith("utf-8"):
        code, hint = "not-utf8", "read it as Windows-1252? --encoding cp1252"
    with buffered(path, name) as stream:
        where = _first_wrong(stream, encoding)
    return ManifestError(f"{name}{where} is not {encoding_name(encoding)}", hint=hint, code=code)


def _first_wrong(stream: BinaryIO, encoding: str) -> str:
    """``:line:column: byte 0x…``, the column in characters; "" where the very mark is missing by
    which UTF-16 and UTF-32 begin."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = column = 1
    data = wrong = b"?"
    while data:
        data, before = stream.read(CHUNK), decoder.getstate()
        try:
            text, wrong = decoder.decode(data, final=not data), b""
        except UnicodeDecodeError as error:
            decoder.setstate(before)
            text = decoder.decode(data[: max(error.start - len(before[0]), 0)])
            wrong = error.object[error.start : error.start + 1]
        except UnicodeError:
            break
        line += text.count("\n")
        column = len(text) - text.rfind("\n") + (0 if "\n" in text else column - 1)
        if (line, column) == (1, 1) and encoding.startswith(("utf-16", "utf-32")):
            break
        if wrong:
            return f":{line}:{column}: byte 0x{wrong.hex().upper()}"
    return ""


class Lines:
    """Random access to lines, cheap when asked in ascending order: one pass serves them all.
    ``opened`` opens the text from its beginning."""

    def __init__(self, opened: Callable[[], io.TextIOWrapper]) -> None:
        self._open = opened
        self._text: io.TextIOWrapper | None = None
        self._last = 0
        self._kept: deque[str | None] = deque(maxlen=_KEPT)

    def line(self, number: int) -> str | None:
        """Line ``number`` (from 1) without its break; None behind the end, and for giants."""
        if number < 1:
            return None
        if self._text is None or number <= self._last - len(self._kept):
            self.close()
            self._text = self._open()
        if (far := number - self._last - _KEPT) > 0:  # lines that nobody will ask for
            deque(islice(self._text, far), maxlen=0)
            self._kept.clear()
            self._last += far
        while self._last < number:
            if not self._advance(self._text):
                return None
        return self._kept[number - self._last - 1]

    def between(self, first: int, last: int) -> Iterator[str]:
        """Lines ``first`` to ``last``, as far as there are any."""
        for number in range(first, last + 1):
            if (line := self.line(number)) is None:
                return
            yield line

    def close(self) -> None:
        """Close the file; asking for a line opens it again."""
        if self._text is not None:
            self._text.close()
        self._text = None
        self._kept.clear()
        self._last = 0

    def _advance(self, text: io.TextIOWrapper) -> bool:
        line = whole = text.readline(_LONGEST)
        while len(whole) == _LONGEST and not whole.endswith(("\n", "\r")):
            whole = text.readline(_LONGEST)  # the rest of a giant is read and dropped
        if line:
            self._kept.append(line.rstrip("\r\n") if whole is line else None)
            self._last += 1
        return bool(line)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: ``path`` as opened, ``name`` as shown, ``given`` as the user named it;
    ``found`` tells that it is still the same."""

    path: str
    name: str
    given: str
    found: os.stat_result

    def check_unchanged(self) -> None:
        """Raises ManifestError when the file is no longer the one that was opened."""
        with suppress(OSError):
            if _STAMP(os.stat(self.path)) == _STAMP(self.found):  # noqa: PTH116  a path as given
                return
        hint = "run the command again when nothing writes to it any more"
        message = f"{self.name} changed while it was being read"
        raise ManifestError(message, hint=hint, code="changed")


class RowsOfFile(Protocol):
    """A file that can be read row by row, without entries: ``columns`` has for each cell of
    ``rows`` the field it is ("" for none), or is None where cells alone do not tell the values.
    ``textual``: all that it has is text."""

    name: str
    names: tuple[str, ...]
    textual: bool

    @property
    def columns(self) -> tuple[str, ...] | None: ...

    def rows(self, position: Position | None = None) -> Iterator[tuple[int, list[str]]]:
        """(line, cells) of every row; exactly a ``list`` where each cell is its own value."""

    def entry(self, row: int, line: int, cells: list[str]) -> Entry:
        """One of ``rows`` as an Entry; ``row`` counts them from 1."""

    def original(self, cells: list[str]) -> Mapping[str, Json]:
        """One of ``rows`` that is exactly a ``list``, as it stands in the file."""


class Part(ABC):
    """One file of a manifest, whatever its format. ``path`` is read, ``name`` shown; ``names`` are
    a table's columns, ``header`` is what stands beside the entries. ``newline`` decides what a
    line is, as in ``open``; ``root`` is where in a document the entries stand."""

    names: tuple[str, ...] = ()
    newline = "\n"
    root = ""

    def __init__(self, source: SourceFile, detected: Detected, findings: Findings) -> None:
        self.path = source.path
        self.name = source.name
        self.encoding = detected.encoding
        self.header = Header()
        self.lines = Lines(self._text)
        self._findings = findings

    @abstractmethod
    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every entry, counted from ``first``. Raises ManifestError where reading has to end."""

    def cells(self, fields: Collection[str]) -> Iterator[tuple[str, Counter[str]]]:
        """By field, for some of these metadata fields, texts and how many rows have each; where
        values have types of their own (JSON), none."""
        handles = [(field, field.partition(".")[2]) for field in fields]
        for entry in self.entries(1):
            for field, handle in handles if entry.textual else ():
                if isinstance(text := entry.metadata.get(handle), str):
                    yield field, Counter((text,))

    def locate(self, entry: Entry, field: str) -> Place:
        """Where the value of ``field`` begins, behind its quote; the entry's beginning if it has
        none. Cheap when asked in ascending order."""
        line, column = self._start(entry.place, field) or (entry.place.line, entry.place.column)
        return Place(entry.place.file, entry.place.row, line, column)

    @abstractmethod
    def _start(self, place: Place, field: str) -> tuple[int, int] | None:
        """Line and column of a field's value in the entry at ``place``."""

    def _named(self, field: str) -> str:
        """What the field is called in this file."""
        return self._findings.columns.columns.get(field, field)

    def close(self) -> None:
        """Close what ``locate`` and ``lines`` keep open; asking again opens it again."""
        self.lines.close()

    def _open(
        self, position: Position | None = None, watch: Watch | None = None
    ) -> io.BufferedReader:
        """The content as UTF-8."""
        recode = None if self.encoding in _UTF8 else self.encoding
        if position is not None:
            watch = lambda _chunk, at: position(at)  # noqa: E731
        return buffered(self.path, self.name, recode=recode, watch=watch)

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._open(), "utf-8-sig", "replace", newline=self.newline)
