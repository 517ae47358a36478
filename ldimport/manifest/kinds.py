"""The vocabulary of reading: what a file was found to be, how it is to be read, and what reading
finds beside entries."""

from collections import Counter
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ldimport.manifest.dialect import CsvDialect
from ldimport.manifest.fields import FieldMap, ignored_text
from ldimport.manifest.names import Taken
from ldimport.model import Entry, Json, Place, Problem, Severity
from ldimport.url import without_secrets

_SHOWN = 120
_MOST_KEYS = 1_000
"""Unknown keys remembered of one file: a hostile one may have a new key in every entry."""


class ManifestFormat(StrEnum):
    """What a manifest is written in."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"

    @property
    def words(self) -> str:
        """How people call it."""
        return "JSON Lines" if self is ManifestFormat.JSONL else self.value.upper()


class ReadingNote(NamedTuple):
    """Something worth one line on the screen: ``code`` is stable, ``text`` for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user prescribes; None is found out. ``delimiter`` is one character; ``left_out`` are
    files, in full, that a folder holds beside its manifests."""

    encoding: str | None = None
    delimiter: str | None = None
    columns: FieldMap = field(default_factory=FieldMap)
    left_out: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class Detected:
    """How a file is read. ``encoding`` is Python's name (``utf-8-sig``: with byte order mark);
    ``dialect`` and ``columns`` (how many) are None where the format has none."""

    format: ManifestFormat
    encoding: str
    dialect: CsvDialect | None = None
    columns: int | None = None

    @property
    def delimiter(self) -> str | None:
        """What stands between a CSV's cells."""
        return self.dialect.delimiter if self.dialect else None


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a manifest: ``path`` as it was named (``-``: standard input), ``size`` in bytes
    on disk, ``columns`` the names in a CSV's header."""

    path: str
    detected: Detected
    size: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What stands beside ``images`` in a manifest that has the form of a request body."""

    system_name: str | None = None
    webhook: str | None = None
    context: Mapping[str, Json] | None = None


class Findings:
    """Notes, each once, collected while one manifest is read; counts start anew with each pass.
    ``by_name``: fields of the columns that were taken for properties by their names; ``fitted``: by
    file, rows that lack cells at their end."""

    def __init__(self, columns: FieldMap) -> None:
        self.columns = columns
        self.by_name: set[str] = set()
        self.number_ids = 0
        self.kept: Counter[str] = Counter()
        self.fitted: Counter[str] = Counter()
        self._unknown: dict[str, dict[str, None]] = {}
        self._notes: dict[str, ReadingNote] = {}

    def start_pass(self) -> None:
        """Forget counts of the pass before."""
        self.number_ids = 0
        self.kept.clear()

    def notice(self, code: str, text: str) -> None:
        """Remember a note; the same text counts once."""
        self._notes.setdefault(text, ReadingNote(code, text))

    def taken(self, taken: Taken, file: str) -> None:
        """Columns that became properties by their names."""
        self.by_name |= taken.fields.keys()
        if taken.fields:
            self.notice("columns-taken", taken.text(file))
        for text in taken.unclear:
            self.notice("columns-unclear", f"{file}: {text}")

    def unknown_key(self, file: str, key: str) -> None:
        """A key of a JSON or YAML entry that no field uses; ``_keys`` are meant to be skipped."""
        known = self._unknown.setdefault(file, {})
        if not key.startswith("_") and len(known) < _MOST_KEYS:
            known[key] = None

    def notices(self) -> tuple[ReadingNote, ...]:
        """Everything worth a line so far."""
        found = list(self._notes.values())
        for file, keys in self._unknown.items():
            if keys:
                found.append(ReadingNote("unknown-columns", ignored_text(keys, file)))
        if self.number_ids:
            text = f"{self.number_ids:,} ids are numbers; each is taken as the text of its digits"
            found.append(ReadingNote("number-id", text))
        for name, rows in self.fitted.items():
            some = f"{rows:,} rows end" if rows > 1 else "1 row ends"
            text = f"{name}: {some} before the last column; what is lacking there is empty"
            found.append(ReadingNote("short-rows", text))
        for name, rows in self.kept.items():
            text = f"{rows:,} rows keep their own {name}; --set fills only what is empty"
            found.append(ReadingNote("kept-values", text))
        return tuple(found)


class RowProblems(list[Problem]):
    """Errors that the reader finds in the entry at ``place``."""

    __slots__ = ("place",)

    def __init__(self, place: Place) -> None:
        self.place = place

    def add(
        self, code: str, field: str, message: str, hint: str = "", value: str = "",
        *, place: Place | None = None,
    ) -> None:  # fmt: skip
        """One error; ``value`` is cut to a length that fits a screen."""
        at, value = place or self.place, without_secrets(value)[:_SHOWN]
        self.append(Problem(Severity.ERROR, code, at, field, message, hint, value=value))

    def entry(self, original: Mapping[str, Json], *, textual: bool) -> Entry:
        """An entry of which nothing but the problems is known."""
        return Entry("", "", None, None, {}, self.place, textual, tuple(self), original)

    def of(self, id_: str) -> tuple[Problem, ...]:
        """All of them, with the entry's id."""
        return tuple(replace(each, id=id_) for each in self) if self else ()


class TableRow(Mapping[str, Json]):
    """A row as it stands in the file: column -> cell. ``names`` has the index of each column, and
    is shared by all rows."""

    __slots__ = ("_cells", "_names")

    def __init__(self, names: Mapping[str, int], cells: Sequence[str]) -> None:
        self._names = names
        self._cells = cells

    def __getitem__(self, name: str) -> Json:
        if (index := self._names[name]) < len(self._cells):
            return self._cells[index]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return islice(self._names, len(self._cells))

    def __len__(self) -> int:
        return min(len(self._names), len(self._cells))

    def items(self) -> ItemsView[str, Json]:
        """All of it at once."""
        return dict(zip(self._names, self._cells, strict=False)).items()
