"""In which form a manifest is written, so that some of its rows can be written alike."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ldimport.manifest.kinds import Detected, ManifestFormat
from ldimport.manifest.streams import Part, buffered

_LOOKED_AT = 1 << 16


@dataclass(frozen=True, slots=True)
class RowForm:
    """``encoding`` is Python's name; ``root``: where the list is in a document (``assets.items``,
    ``images`` in a request body, "" where it is all there is). Of a CSV its delimiter, quotes, ends
    of lines, and whether its first line tells Excel the delimiter."""

    format: ManifestFormat
    encoding: str = "utf-8"
    root: str = ""
    delimiter: str = ","
    quote: str = '"'
    newline: str = "\r\n"
    sep: bool = False

    @classmethod
    def of(cls, part: Part, found: Detected) -> RowForm:
        """That of one file."""
        if found.dialect is None:
            return cls(found.format, found.encoding, part.root)
        with buffered(part.path, part.name) as stream:
            head = stream.read(_LOOKED_AT).decode(found.encoding, "ignore")
        ends = "\r\n" if "\r\n" in head else "\n" if "\n" in head else "\r"
        told = (found.dialect.delimiter, found.dialect.quote, ends, bool(found.dialect.skip))
        return cls(found.format, found.encoding, "", *told)

    @classmethod
    def parsed(cls, text: str) -> RowForm | None:
        """What ``text`` says; None where a newer version wrote something else."""
        try:
            body = json.loads(text)
            return cls(**{**body, "format": ManifestFormat(body["format"])})
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def text(self) -> str:
        """As JSON, for the state file."""
        return json.dumps(asdict(self), separators=(",", ":"))
