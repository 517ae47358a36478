"""JSON Lines: an object a line. Lines of plain texts are rows as a table's are: the fast way; all
others go the careful way, one by one."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

import orjson

from ldimport.errors import ManifestError
from ldimport.manifest.json import LARGEST, JsonFile
from ldimport.manifest.names import PREFIX
from ldimport.manifest.streams import Position
from ldimport.manifest.texts import compose, surely_composed
from ldimport.model import Entry, Json, Place
from ldimport.mojibake import is_whole, surely_whole

_CORE = ("id", "url", "fileName", "mediaType")
_APART = re.compile(rb'"[ \t\r]++:')
_OVERLAP = 64
_ESCAPED = re.compile(rb"\\[urbf]")
_TEXT = frozenset((str,))
_NOTHING: dict[str, Json] = {}
_MOST_COLUMNS = 200


class OddLine(list[Any]):
    """A line that is no row of plain texts."""

    __slots__ = ()


class _Doubt:
    """Watches chunks of UTF-8 for what needs a second look, text by text; once found, for good.
    ``apart``: somewhere a key may stand apart from its colon."""

    def __init__(self, position: Position | None) -> None:
        self.raised = self.apart = False
        self._position, self._end = position, b""

    def __call__(self, chunk: bytes, position: int) -> None:
        """Look at the next one."""
        chunk = self._end + chunk
        if not self.raised:
            self.raised = not (surely_whole(chunk, utf8=True) and surely_composed(chunk))
        self.apart = self.apart or _APART.search(chunk) is not None
        self._end = chunk[-_OVERLAP:]
        if self._position is not None:
            self._position(position)


class JsonLines(JsonFile):
    """One entry a line; blank lines are skipped."""

    textual = False
    _most_lines = 0

    def entries(self, first: int, position: Position | None = None) -> Iterator[Entry]:
        """Every line. Raises ManifestError for a line of more than 16 MB."""
        with self._open(position) as stream:
            for row, (line, raw) in enumerate(self._lines(stream), first):
                yield self._entry(raw, Place(self.name, row, line, 1))

    @property
    def columns(self) -> tuple[str, ...] | None:
        """For each cell of ``rows`` the field it is; None where keys are mapped, or others."""
        handles = self._build.handles
        if handles is None or len(handles) > _MOST_COLUMNS:
            return None
        return (*_CORE, *(PREFIX + handle for handle in handles), "")

    def rows(self, position: Position | None = None) -> Iterator[tuple[int, list[Any]]]:
        """(line, cells) of every line, as those of a table: exactly a ``list`` with one text for
        each of ``columns``, else an ``OddLine``; the last cell is the line itself."""
        self._findings.start_pass()
        watch = _Doubt(position)
        with self._open(watch=watch) as stream:
            for line, raw in self._lines(stream):
                yield line, self._cells(raw, watch) or OddLine((raw,))

    def entry(self, row: int, line: int, cells: list[Any]) -> Entry:
        """One of ``rows`` as an Entry."""
        return self._entry(cells[-1], Place(self.name, row, line, 1))

    def original(self, cells: list[Any]) -> dict[str, Json]:
        """One of ``rows`` that is not odd, as it stands in the file."""
        found: dict[str, Json] = orjson.loads(cells[-1])
        return found

    def _lines(self, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
        for line, raw in enumerate(iter(partial(stream.readline, LARGEST), b""), 1):
            if len(raw) == LARGEST:
                message = f"{self.name}:{line}: the line is longer than 16 MB"
                hint = "in JSON Lines each entry has a line of its own"
                raise ManifestError(message, hint=hint, code="too-large")
            content = raw[3:] if line == 1 and raw.startswith(b"\xef\xbb\xbf") else raw
            if content := content.rstrip():
                yield line, content

    def _cells(self, raw: bytes, watch: _Doubt) -> list[Any] | None:
        """None for what is no object of plain texts. Keys are counted where they are written:
        there are more than values if one stands twice, is not known or has an empty text."""
        try:
            found = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None
        inner = found.get("metadata", _NOTHING) if type(found) is dict else None
        if type(inner) is not dict:
            return None
        get, get_inner = found.get, inner.get
        cells = [get("id", ""), get("url", ""), get("fileName", ""), get("mediaType", "")]
        cells += [get_inner(handle, "") for handle in self._build.handles or ()]
        written = raw.count(b'":') - (inner is not _NOTHING)
        if not _TEXT.issuperset(map(type, cells)) or written != len(cells) - cells.count(""):
            return None
        odd = watch.raised or (b"\\" in raw and _ESCAPED.search(raw))
        if (odd and any(map(_is_odd, cells))) or (watch.apart and _APART.search(raw)):
            return None
        cells.append(raw)
        return cells


def _is_odd(text: str) -> bool:
    return compose(text) is not text or not is_whole(text)
