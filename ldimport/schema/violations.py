"""From an error of ``jsonschema`` to a finding that a person understands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ldimport.model import Json
from ldimport.schema.dates import is_date, is_datetime
from ldimport.schema.findings import Finding, cut, listed, proposed
from ldimport.schema.properties import TABLES

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_MOST = 20


def violations(
    schema: Mapping[str, Any], value: Json, field: str, *, publishing: bool
) -> Iterator[Finding]:
    """Everything that keeps ``value`` from meeting ``schema``, at most twenty findings."""
    seen: set[tuple[str, str]] = set()
    for error in _validator()(schema).iter_errors(value):
        found = _finding(error, field, publishing)
        if (found.code, found.path) in seen:
            continue
        seen.add((found.code, found.path))
        yield found
        if len(seen) >= _MOST:
            return


def _finding(error: Any, field: str, publishing: bool) -> Finding:
    steps = error.absolute_path
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    code, message, hint = _sentence(error, field + path)
    value = error.instance if isinstance(error.instance, str) else ""
    return Finding(code, message, hint, publishing=publishing, path=path, value=value)


def _sentence(error: Any, name: str) -> tuple[str, str, str]:
    """Code, message, hint. The errors of ``jsonschema`` are untyped where it matters."""
    keyword, value, wanted = str(error.validator), error.instance, error.validator_value
    if keyword in _NOT_EMPTY and not value:
        return "required", f"{name} is empty", ""
    if keyword in _LIMITS:
        code, text = _LIMITS[keyword]
        count = len(value) if isinstance(value, (str, list)) else value
        return code, f"{name} {text.format(count=count, limit=wanted)}", ""
    form = error.schema.get("format") if isinstance(error.schema, Mapping) else None
    if keyword == "format" or (keyword == "pattern" and form in _DATES):
        text = f"{name}: {_shown(value)} is not a date"
        return "bad-date", text, f"write it as {_DATES.get(str(form), _DATES['date'])}"
    match keyword:
        case "type":
            words = [wanted] if isinstance(wanted, str) else wanted
            expected = " or ".join(TABLES["kinds"].get(word, word) for word in words)
            return "wrong-type", f"{name} has to be {expected}, not {_shown(value)}", ""
        case "enum":
            crop = name.endswith(".name") and ".crops[" in name
            code = "unknown-crop" if crop else "not-in-list"
            what = "is no crop of this project" if crop else "is not in the list"
            text = f"{name}: “{cut(str(value))}” {what}"
            return code, text, proposed(str(value), map(str, wanted))
        case "required":
            lacking = listed(key for key in wanted if key not in value)
            return "wrong-shape", f"{name} has no “{lacking}”", ""
        case "pattern":
            return "wrong-shape", f"{name}: {_shown(value)} is not of the form {wanted}", ""
        case "additionalProperties":
            own = error.schema.get("properties", {})
            unknown = listed(key for key in value if key not in own)
            return "wrong-shape", f"{name} has no key “{unknown}”", ""
        case "const":
            return "wrong-shape", f"{name} has to be {_shown(wanted)}", ""
        case "not":
            return "line-break", f"{name} has a line break, and may not", "put it on one line"
    return "wrong-shape", f"{name} is not of the form that the property stores", ""


_NOT_EMPTY = ("minLength", "minItems", "minProperties")
_LIMITS = {
    "maxLength": ("too-long", "has {count:,} characters, the limit is {limit:,}"),
    "minLength": ("too-short", "has {count:,} characters, at least {limit:,} are needed"),
    "maxItems": ("too-many", "has {count:,} items, the limit is {limit:,}"),
    "minItems": ("too-few", "has {count:,} items, at least {limit:,} are needed"),
    "minimum": ("too-small", "is {count}, the smallest allowed is {limit}"),
    "maximum": ("too-large", "is {count}, the largest allowed is {limit}"),
}
_DAY = "2003-04-12"
_DATES = {"date": _DAY, "date-time": "2003-04-12T09:30:00Z"}


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return f"“{cut(value)}”" if value else "an empty text"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return "nothing" if value is None else str(value).lower()


@cache
def _validator() -> Callable[[Mapping[str, Any]], Draft202012Validator]:
    """Loaded when something is wrong; the import costs a tenth of a second."""
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("date")(is_date)
    checker.checks("date-time")(is_datetime)
    return partial(Draft202012Validator, format_checker=checker)
