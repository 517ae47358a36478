"""From the text in a cell to what a plugin stores. CSV and YAML have only text."""

import json
import re
from collections.abc import Callable

from ldimport.cells import Writing
from ldimport.faults import json_fault
from ldimport.model import Json
from ldimport.schema.dates import read_date, read_datetime
from ldimport.schema.findings import BadValue, cut
from ldimport.schema.properties import TABLES, Property, ValueShape

Coercion = Callable[[str], Json]

_WORDS: dict[str, bool] = {
    word: value == "true" for value, words in TABLES["booleans"].items() for word in words
}
_WHOLE = re.compile(r"[+-]?\d+")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:['’\u00a0\u202f ]\d{3})+")
_DECIMAL_ZERO = re.compile(r"([+-]?\d+)[.,](?:0{1,2}|0{4,})")
_MOST_DIGITS = 300
SEPARATORS = ("|", ";", "\n", ",")
"""How lists are written in one cell: by the first of these that stands in it, where nobody knows
the column."""

PLAIN = Writing()


def coercion(found: Property, writing: Writing = PLAIN) -> Coercion:
    """The function from a cell of this property, never empty, to its value; it raises BadValue."""
    match found.shape:
        case ValueShape.DATE:
            return lambda text: read_date(text, writing.date)
        case ValueShape.DATETIME:
            return lambda text: read_datetime(text, writing.date, writing.zone)
        case ValueShape.TEXTS:
            return lambda text: to_list(text, writing.separator)
        case ValueShape.INTEGERS:
            return lambda text: [
                each if isinstance(each, int) else to_integer(str(each))
                for each in to_list(text, writing.separator)
            ]
    return _COERCIONS.get(found.shape, str)


def reads_text(found: Property, writing: Writing) -> bool:
    """Whether a text is coerced even where the file has types of its own (JSON): what the user
    described."""
    return writing != PLAIN


def to_integer(text: str) -> int:
    """``5``, ``+5``, ``1'204``, ``5.0``, ``5,0``. A text with a comma or point before three digits
    may mean a thousand times more, and is refused."""
    plain = text.strip()
    if found := _DECIMAL_ZERO.fullmatch(plain):
        plain = found[1]
    elif _GROUPED.fullmatch(plain):
        plain = re.sub(r"[^\d+-]", "", plain)
    if _WHOLE.fullmatch(plain) and len(plain) <= _MOST_DIGITS and plain.isascii():
        return int(plain)
    raise BadValue("not-an-integer", f"“{cut(text)}” is not a whole number")


def to_boolean(text: str) -> bool:
    """yes/no, true/false, 1/0, and the words of German, French, Italian and Spanish."""
    if (found := _WORDS.get(text.strip().casefold())) is None:
        raise BadValue("not-a-boolean", f"“{cut(text)}” is neither yes nor no", "write yes or no")
    return found


def to_list(text: str, separator: str | None) -> list[Json]:
    """A JSON list, else what stands between separators, without blanks around it."""
    if text.lstrip().startswith("["):
        try:
            found = to_object(text)
        except BadValue:
            if separator is None:
                raise
            found = None
        if isinstance(found, list):
            return found
    chosen = separator or next((each for each in SEPARATORS if each in text), None)
    parts = [text] if chosen is None else text.split(chosen)
    return [part for each in parts if (part := each.strip())]


def to_object(text: str) -> Json:
    """What a structured plugin stores, as JSON in a cell."""
    try:
        found: Json = json.loads(text, parse_constant=_refused)
        return found
    except ValueError as error:
        why = json_fault(error, place=False)
        raise BadValue("bad-json", f"the JSON cannot be parsed: {why}") from error
    except RecursionError as error:
        raise BadValue("too-deep", "the JSON is nested too deeply") from error


def _refused(word: str) -> Json:
    raise ValueError(f"{word} is not JSON")


_COERCIONS: dict[ValueShape | None, Coercion] = {
    ValueShape.INTEGER: to_integer,
    ValueShape.BOOLEAN: to_boolean,
    ValueShape.OBJECT: to_object,
}
