"""Texts: JSON to values, with everything that JSON allows and Livingdocs does not named; Unicode
composed (NFC).

orjson decides in the ordinary case; the standard library, slower, explains the others.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from unicodedata import is_normalized, normalize

import orjson

from ldimport.cells import without_surrogates
from ldimport.faults import json_fault
from ldimport.manifest.kinds import RowProblems
from ldimport.model import Json, Place

MAX_SAFE_INTEGER = 2**53 - 1
"""Beyond this JavaScript, and so the server, rounds whole numbers."""
MAX_DEPTH = 100
_LINE_ENDS = re.compile("\r\n?|\v")
_SHOWN = 64
_RIGHT = {"none": "null", "true": "true", "false": "false", "undefined": "null", "null": "null"}
_WORDS = re.compile(rb"(?:None|True|False|undefined|NONE|TRUE|FALSE|NULL|Null)(?![\w-])")
_BARE_KEY = re.compile(rb"[\w$-]+\s*:")
_KEYS = re.compile(rb'"[ \t\r\n]*:')
_ALWAYS = bytes([*range(0xCC), 0xE2, *range(0xF5, 0x100)])
"""UTF-8 lead and tail bytes of characters below U+0300, and of U+2000 to U+2FFF."""
_RARE = re.compile(rb"\xe2(?:[\x81\x83-\xbf]|\x80[\x80\x81])")
"""U+2000 to U+2FFF but for quotes, dashes and currency; U+2000 and U+2001 decompose."""


def quick_json(raw: bytes) -> dict[str, Json] | None:
    """The object in ``raw``, or None when it is not an ordinary one: no object, not parseable, a
    key that may stand twice, a number that may be too large."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if type(found) is not dict:
        return None
    return found if _count_keys(found, 0) == _written_keys(raw) else None


def _written_keys(raw: bytes) -> int:
    """How many keys the text has, or more: a colon behind a quote may stand in a text too."""
    if b'" ' in raw or b'"\t' in raw or b'"\n' in raw or b'"\r' in raw:
        return len(_KEYS.findall(raw))
    return raw.count(b'":')


def _count_keys(value: Json, depth: int) -> int:
    """How many keys the value has at all its levels; -1 if a number in it may be too large, or it
    is too deep. Floats may have been whole numbers before they were parsed."""
    kind = type(value)
    if kind is dict or kind is list:
        if depth > MAX_DEPTH:
            return -1
        count = len(value) if kind is dict else 0  # type: ignore[arg-type]
        for each in value.values() if kind is dict else value:  # type: ignore[union-attr]
            if type(each) is not str:
                inner = _count_keys(each, depth + 1)
                if inner < 0:
                    return -1
                count += inner
        return count
    if kind is float or (kind is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER):  # type: ignore[operator]
        return -1
    return 0


def parse_json(text: str | bytes, problems: RowProblems, field: str) -> Json:
    """Parse with all checks; None where that cannot be. ``field`` names what holds the text: ""
    for a whole entry. Half surrogates are replaced by U+FFFD, so that they can be stored."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = _decoder(field, problems).decode(decoded)
        if not _shallow(value, MAX_DEPTH):
            raise RecursionError
        whole = "\\u" not in decoded and decoded is not text
        return value if whole else _without_surrogates(value, field, problems)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        problems.add("bad-json", field, f"byte 0x{byte:02X} is not UTF-8", "--encoding cp1252")
    except json.JSONDecodeError as error:
        at, line, column = problems.place, error.lineno, error.colno
        column += max(at.column, 1) - 1 if line == 1 else 0
        place = None if field else Place(at.file, at.row, at.line + line - 1, column)
        before, behind = decoded[: error.pos].rstrip(), decoded[error.pos :].lstrip()
        found = what_stands(before[-1:].encode(), behind[:_SHOWN].encode("utf-8", "replace"))
        text, hint = found or (json_fault(error, place=False), "")
        if behind.rstrip() == ",":
            text, hint = "a comma stands behind the object", "take it away"
        if not (field or error.pos) and behind[:1] not in ("{", "[", '"', ""):
            text = "no object begins here: does another file, which is not JSON?"
        problems.add("bad-json", field, f"not JSON: {text}", hint, place=place)
    except RecursionError:
        problems.add("too-deep", field, f"nested deeper than {MAX_DEPTH} levels")
    except ValueError as error:
        problems.add("bad-json", field, f"not JSON: {error}")
    return None


def what_stands(before: bytes, here: bytes) -> tuple[str, str] | None:
    """What others write and JSON has not, and what to do; ``before`` is the character in front."""
    if here.startswith((b"//", b"/*", b"#")):
        return "a comment stands here, and JSON has none", "take it out"
    if here[:1] in (b"}", b"]") and before == b",":
        return f"a comma stands before the closing “{here[:1].decode()}”", "take the comma away"
    if here.startswith(b"'"):
        return "texts and keys stand in double quotes", "write \" instead of '"
    if before in (b"{", b",") and _BARE_KEY.match(here):
        return "keys stand in double quotes", 'for example: {"id": "…"}'
    if found := _WORDS.match(here):
        right = _RIGHT[found[0].decode().lower()]
        return f"“{found[0].decode()}” is no value of JSON", f"write {right}"
    return None


def _decoder(field: str, problems: RowProblems) -> json.JSONDecoder:
    def pairs(found: Sequence[tuple[str, Json]]) -> dict[str, Json]:
        result = dict(found)
        if len(result) < len(found):
            again = next(key for key, count in Counter(k for k, _ in found).items() if count > 1)
            problems.add("duplicate-key", field or again, f"“{again}” stands twice in one object")
        return result

    def constant(name: str) -> Json:
        hint = "leave it out, or write a number"
        problems.add("bad-number", field, f"{name} is not JSON", hint)
        return None

    def whole(digits: str) -> Json:
        if len(digits.lstrip("-")) > 16 or abs(int(digits)) > MAX_SAFE_INTEGER:
            return BigNumber(digits)
        return int(digits)

    return json.JSONDecoder(object_pairs_hook=pairs, parse_constant=constant, parse_int=whole)


class BigNumber(str):
    """The digits of a whole number that JavaScript would round: fine as an id, else a problem."""

    __slots__ = ()


def check_numbers(value: Json, field: str, problems: RowProblems) -> None:
    """Note every number in a value that would not arrive as it is."""
    if isinstance(value, BigNumber):
        message = f"{value} is too large a number: it would be rounded on the way"
        problems.add("big-number", field, message, "write it as a text, in quotes", str(value))
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            check_numbers(item, field, problems)


def _shallow(value: Json, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    each = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(item, levels - 1) for item in each)


def _without_surrogates(value: Json, field: str, problems: RowProblems) -> Json:
    cleaned = map_texts(value, lambda text: text if text.isascii() else without_surrogates(text))
    if cleaned != value:
        message = "half of a surrogate pair (\\ud800 to \\udfff) is not a character"
        problems.add("lone-surrogate", field, message)
    return cleaned


def map_texts(value: Json, change: Callable[[str], str]) -> Json:
    """The same value with every text in it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_texts(each, change) for each in value]
    if isinstance(value, dict):
        return {change(key): map_texts(each, change) for key, each in value.items()}
    return value


def surely_composed(utf8: bytes) -> bool:
    """Whether the text certainly is in NFC: nothing in it but letters below U+0300 and common
    punctuation. Costs a fifth of asking ``unicodedata``."""
    return utf8.isascii() or not (utf8.translate(None, _ALWAYS) or _RARE.search(utf8))


def compose(text: str) -> str:
    """The text in NFC, every end of a line as LF (a vertical tab is one to FileMaker and Word): the
    same text whoever saved it last. Itself, where it is so already."""
    if "\r" in text or "\v" in text:
        text = _LINE_ENDS.sub("\n", text)
    return text if text.isascii() or is_normalized("NFC", text) else normalize("NFC", text)
