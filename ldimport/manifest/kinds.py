"""The vocabulary of reading: what a file was found to be, and how it is to be read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from ldimport.manifest.fields import FieldMap
from ldimport.model import Json


class ManifestFormat(StrEnum):
    """What a manifest is written in."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


class ReadingNote(NamedTuple):
    """Something worth one line on the screen: ``code`` is stable, ``text`` for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user prescribes; None is found out. ``delimiter`` is one character."""

    encoding: str | None = None
    delimiter: str | None = None
    columns: FieldMap = field(default_factory=FieldMap)


class CsvReader(Protocol):
    """What ``csv.reader`` returns; its own class has no public name before Python 3.14."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a CSV is written. ``escape`` is a backslash where quotes are escaped, not doubled;
    ``spaced``: blanks follow the delimiters; ``skip``: lines before the header (``sep=;``);
    ``extra``: empty cells at the end of every row that the header lacks."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    spaced: bool = False
    skip: int = 0
    extra: int = 0

    def reader(self, lines: Iterable[str]) -> CsvReader:
        """A strict ``csv.reader``: broken quoting raises csv.Error instead of mangling cells."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            skipinitialspace=self.spaced,
            strict=True,
        )


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
