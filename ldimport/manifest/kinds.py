"""The vocabulary of reading: what a file was found to be, and how it is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True)
class Detected:
    """How a file is read. ``encoding`` is Python's name (``utf-8-sig``: with byte order mark),
    ``delimiter`` and ``columns`` (how many) are None where the format has none."""

    format: ManifestFormat
    encoding: str
    delimiter: str | None = None
    columns: int | None = None


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
