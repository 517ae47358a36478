"""Bytes of a file as a stream: decompressed, recoded where asked, watched chunk by chunk."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from ldimport.errors import ConfigError, ManifestError

CHUNK = 1 << 20
_TEXT_CHUNK = 1 << 16
LONGEST_LINE = 32 << 20
"""Bytes of one line of a table at most."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Watch(Protocol):
    """Sees every chunk before anybody reads it."""

    def __call__(self, chunk: bytes, position: int, /) -> None:
        """``position``: bytes of the file on disk that have been read."""


class ByteStream(io.RawIOBase):
    """The content of ``path``: gzip and zstd are recognised by their first bytes and unpacked.

    ``recode``: an encoding to turn into UTF-8 on the way. ``name`` is for messages. Raises
    ManifestError for damaged compression, ConfigError when zstd needs its extra.
    """

    def __init__(
        self, path: str, name: str, *, recode: str | None = None, watch: Watch | None = None
    ) -> None:
        super().__init__()
        self._name = name
        self._watch = watch
        self._left = b""
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
        if head == _ZSTD:
            return _zstd(self._file, self._name)
        return self._file

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

    def read1(self, size: int = -1) -> bytes:
        """Whatever comes next in one piece, larger than ``size`` if it likes: a text wrapper asks
        for 8 kB at a time, and every piece costs a call."""
        data = self._left or self._next(_TEXT_CHUNK)
        self._left = b""
        return data

    def _next(self, size: int) -> bytes:
        data = self._read(size)
        if self._decoder is not None:
            data = self._recoded(data, size)
        if self._watch is not None and data:
            self._watch(data, self._file.tell())
        return data

    def _recoded(self, data: bytes, size: int) -> bytes:
        assert self._decoder is not None
        while True:
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "surrogatepass")
            data = self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            return self._content.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> ManifestError:
        return ManifestError(
            f"{self._name} cannot be unpacked: {error}",
            hint="pack it again, or give the unpacked file",
            code="damaged-archive",
        )

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


def _zstd(file: BinaryIO, name: str) -> BinaryIO:
    try:
        import zstandard
    except ImportError as error:
        raise ConfigError(
            f"{name} is compressed with zstd, which needs a part that is not installed",
            hint="pip install 'ldimport[zstd]'",
            code="missing-extra",
        ) from error
    reader = zstandard.ZstdDecompressor().stream_reader(
        file, read_across_frames=True, closefd=False
    )
    return cast("BinaryIO", reader)


class LineGuard:
    """A watch that stops at a line which would fill the memory: lines are read whole."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._length = 0

    def __call__(self, chunk: bytes, position: int) -> None:
        """Count what came since the last line break. Raises ManifestError."""
        end = chunk.rfind(b"\n")
        if end < 0:
            end = chunk.rfind(b"\r")
        self._length = len(chunk) - end - 1 if end >= 0 else self._length + len(chunk)
        if self._length > LONGEST_LINE:
            raise ManifestError(
                f"{self._name} has a line of more than {LONGEST_LINE >> 20} MB",
                hint="is it a table at all? save it as CSV, each row on a line of its own",
                code="too-large",
            )


Position = Callable[[int], None]
"""Gets the bytes of the manifest read so far."""
