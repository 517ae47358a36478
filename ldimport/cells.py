"""How values stand in files: in the cells of a CSV that no spreadsheet runs, and as JSON on a line.

A cell that a spreadsheet could take for a formula (``=1+1``, ``@SUM(A1)``, ``+49 30``), as a whole
or from a line break in it on, gets an apostrophe in front, as OWASP advises, and another one
behind each such line break; so do texts that a CI system would obey in its log (``::error::``).
Plain numbers such as ``-12.5`` get none. Reading a manifest takes these apostrophes away again.
Structured values stand in their cell as JSON.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType

import orjson

from ldimport.harmless import BREAK, HIDDEN, escaped
from ldimport.model import Json

_SKIPPED = rf"\s\x00-\x1f{HIDDEN}\"'"
_SIGN = "(?:[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]|::)"
_LEADS = re.compile(rf"[{_SKIPPED}]*{_SIGN}|'*[\t{BREAK}]")
"""What a spreadsheet may take for a formula, or skip on its way to one."""
_INNER = (
    rf"[{BREAK}](?=(?:(?![{BREAK}])[{_SKIPPED}])*{_SIGN})"
    r"|##(?='*\w{0,9}\[)|section_(?:start|end)(?='*:\d)"
)
"""Where an apostrophe goes inside of a cell; also before what CI systems look for anywhere."""
_INSIDE, _GUARDED = re.compile(f"({_INNER})"), re.compile(f"({_INNER})'")
_SPECIAL = rf"{BREAK}\"#,;\t|\ud800-\udfff"
_PLAIN = rf"[\w/](?:[^{_SPECIAL}]*[^{_SPECIAL}\s'])?"
_ORDINARY, _ORDINARY_LINES = re.compile(_PLAIN), re.compile(rf"(?:{_PLAIN})?(?:\n(?:{_PLAIN})?)*+")
"""Most cells: neither dangerous nor to be quoted."""
_NUMBER = re.compile(r"-\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
_QUOTED = re.compile(rf"[{BREAK}\",;\t|]|\A[\s']|[\s']\Z")
_AS_TEXT = re.compile('="((?:[^"]|"")*)"')
"""A cell such as ``="0042"``: how Excel is told to keep the zeros."""
_TRUTH: Mapping[Json, str] = {None: "", True: "true", False: "false"}
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Writing:
    """How a column writes its values, where the user says so: ``separator`` of lists, ``date``
    as for ``strptime``, ``zone`` of times that name none; ``values``: what stands there -> what is
    meant, "" for nothing."""

    separator: str | None = None
    date: str | None = None
    zone: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CsvForm:
    """Separator and encoding of a CSV that we write, the same for every file and command."""

    delimiter: str = ","
    encoding: str = "utf-8"


def csv_form(path: str | Path, *, excel: bool = False) -> CsvForm:
    """Commas, UTF-8 without a mark; for ``excel`` semicolons, which it expects in most of Europe,
    and the mark by which it knows UTF-8. Tabs where the file is named so. Whatever the manifest
    had: the readers take all of it."""
    tabs = Path(path).suffix.lower() in (".tsv", ".tab")
    delimiter = "\t" if tabs else ";" if excel else ","
    return CsvForm(delimiter, "utf-8-sig" if excel else "utf-8")


def csv_line(
    values: Iterable[Json], delimiter: str = ",", end: str = "\r\n", quote: str = '"'
) -> str:
    """A row of a CSV, its cells as ``safe_cell`` says. In quotes stands every one in which any
    reader could find the end of a line or a cell, or something to trim; with quotes other than
    usual every cell, so that they are recognised."""
    if quote != '"':
        cells = (safe_cell(value).replace(quote, quote * 2) for value in values)
        return delimiter.join(f"{quote}{cell}{quote}" for cell in cells) + end

    return (delimiter.join(_cell(value, delimiter) for value in values) or '""') + end


def csv_lines(rows: Sequence[Sequence[Json]], delimiter: str = ",", end: str = "\r\n") -> str:
    """Several rows at once, the same as ``csv_line`` of each: most columns are ordinary from the
    first row to the last, and are looked at as one text."""
    columns = (_cells(values, delimiter) for values in zip(*rows, strict=True))
    return "".join([(delimiter.join(row) or '""') + end for row in zip(*columns, strict=True)])


def _cells(values: Sequence[Json], delimiter: str) -> Sequence[str]:
    kinds = {*map(type, values)}
    if kinds <= {bool, NoneType}:
        return [_TRUTH[value] for value in values]
    if kinds <= {int, NoneType}:
        return ["" if value is None else str(value) for value in values]
    if all(issubclass(kind, str | NoneType) for kind in kinds):
        texts = [str(value or "") for value in values]
        column = "\n".join(texts)
        if _ORDINARY_LINES.fullmatch(column) and column.count("\n") == len(texts) - 1:
            return texts
    return [_cell(value, delimiter) for value in values]


def _cell(value: Json, delimiter: str) -> str:
    if isinstance(value, str) and _ORDINARY.fullmatch(value) and delimiter not in value:
        return value
    cell = safe_cell(value)
    quoted = _QUOTED.search(cell) or delimiter in cell
    return '"' + cell.replace('"', '""') + '"' if quoted else cell


def safe_cell(value: Json) -> str:
    """A value as the text of a cell that no spreadsheet will run, and no CI system obey."""
    text = cell_text(value)
    if _dangerous(text) and not _NUMBER.fullmatch(text):
        return "'" + _INSIDE.sub(r"\1'", text)
    return text


def cell_text(value: Json) -> str:
    """A value as a text that can be encoded."""
    if isinstance(value, str):
        return value if value.isascii() else without_surrogates(value)
    return "" if value is None else json_text(value)


def bare_cell(cell: str) -> str:
    """A cell without what only spreadsheets need: the apostrophes of ``safe_cell``, the equals sign
    and quotes around a text; the cell itself where there is neither."""
    if cell[:1] == "=" and (found := _AS_TEXT.fullmatch(cell)):
        return found[1].replace('""', '"')
    if cell[:1] == "'" and _dangerous(cell[1:]):
        return _GUARDED.sub(r"\1", cell[1:])
    return cell


def _dangerous(text: str) -> bool:
    return bool(_LEADS.match(text) or _INSIDE.search(text))


def json_text(value: object) -> str:
    """Compact JSON on one line, without a raw character that a terminal or CI system obeys."""
    try:
        return escaped(orjson.dumps(value).decode())
    except TypeError:  # half surrogates, whole numbers over 64 bits
        return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for every half surrogate, so that it can be encoded."""
    return _SURROGATE.sub("\ufffd", text)
