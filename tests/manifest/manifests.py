"""Helpers of the manifest tests: write a file, read it, say what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from unicodedata import normalize

from ldimport.manifest import Manifest, ReadOptions, open_manifest
from ldimport.manifest.fields import FieldMap
from ldimport.manifest.write import row_of, write_rows
from ldimport.model import Entry

HEADER = "id,url,fileName,mediaType,metadata.caption\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """A file in ``folder`` with exactly this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def opened(path: Path, **columns: object) -> Manifest:
    """The manifest; ``maps`` and ``sets`` as on the command line, ``config`` as in the file."""
    mapping = FieldMap.from_config(columns.pop("config", {}))  # type: ignore[arg-type]
    mapping = mapping.with_map(columns.pop("maps", ()))  # type: ignore[arg-type]
    mapping = mapping.with_set(columns.pop("sets", ()))  # type: ignore[arg-type]
    return open_manifest([path], ReadOptions(columns=mapping, **columns))  # type: ignore[arg-type]


def read(path: Path, **columns: object) -> list[Entry]:
    """All entries of a file."""
    with opened(path, **columns) as manifest:
        return list(manifest.entries())


def write_entries(path: Path, entries: Iterable[Entry]) -> int:
    """Entries as a manifest again; how many there were."""
    return write_rows(path, map(row_of, entries))


def as_kept(text: str) -> str:
    """A text as an entry has it: in NFC, with one kind of line end."""
    for end in ("\r\n", "\r", "\v"):
        text = text.replace(end, "\n")
    return normalize("NFC", text)


def codes(entry: Entry) -> list[str]:
    """The codes of what the reader found wrong."""
    return [problem.code for problem in entry.problems]


def metadata(entry: Entry) -> Mapping[str, object]:
    """Metadata as an ordinary dict."""
    return dict(entry.metadata)
