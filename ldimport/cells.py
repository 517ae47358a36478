"""How values stand in cells: of a CSV that no spreadsheet runs, and as JSON on one line.

A cell that a spreadsheet could take for a formula (``=1+1``, ``@SUM(A1)``, ``+49 30``) gets an
apostrophe in front, as OWASP advises; plain numbers such as ``-12.5`` do not. Reading a manifest
takes the apostrophe away again. Structured values stand in their cell as JSON.
"""

import json
import re
from dataclasses import dataclass

import orjson

from ldimport.model import Json

FORMULA = r"(?:[ \t\r\n\x0b\x0c\x00\xa0]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
"""What a spreadsheet may take for a formula, or skip on its way to one."""
_MAY_RUN = re.compile(f"'*{FORMULA}")
_NUMBER = re.compile(r"-\d+(?:[.,]\d+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Writing:
    """How a column writes its values, where the user says so: ``separator`` of lists, ``date``
    as for ``strptime``, ``zone`` of times that name none."""

    separator: str | None = None
    date: str | None = None
    zone: str | None = None


def safe_cell(value: Json) -> str:
    """A value as the cell of a CSV that no spreadsheet will run."""
    if not isinstance(value, str):
        return "" if value is None else json_text(value)
    text = value if value.isascii() else without_surrogates(value)
    return f"'{text}" if _MAY_RUN.match(text) and not _NUMBER.fullmatch(text) else text


def json_text(value: Json) -> str:
    """Compact JSON on one line."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half surrogates, whole numbers over 64 bits
        return json.dumps(value, separators=(",", ":"))


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for every half surrogate, so that it can be encoded."""
    return _SURROGATE.sub("\ufffd", text)
