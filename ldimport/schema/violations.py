"""From an error of ``jsonschema`` to a finding that a person understands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ldimport.model import Json
from ldimport.schema.dates import is_date, is_datetime
from ldimport.schema.findings import Finding, cut, listed, near

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_MOST = 20


def violations(
    schema: Mapping[str, Any], value: Json, field: str, *, publishing: bool
) -> Iterator[Finding]:
    """Everything that keeps ``value`` from meeting ``schema``, at most twenty findings."""
    errors = _validator_class()(schema, format_checker=_formats()).iter_errors(value)
    seen: set[tuple[str, str]] = set()
    for error in errors:
        found = _finding(error, field, publishing)
        if (found.code, found.path) in seen:
            continue
        seen.add((found.code, found.path))
        yield found
        if len(seen) >= _MOST:
            return


def _finding(error: Any, field: str, publishing: bool) -> Finding:
    path = _path(error)
    name = field + path
    keyword = str(error.validator)
    code, message, hint = _SENTENCES.get(keyword, _other)(error, name)
    value = error.instance if isinstance(error.instance, str) else ""
    return Finding(code, message, hint, publishing=publishing, path=path, value=value)


def _path(error: Any) -> str:
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path
    )


Sentence = tuple[str, str, str]
"""Code, message, hint. The errors of ``jsonschema`` are untyped where it matters."""


def _type(error: Any, name: str) -> Sentence:
    wanted = error.validator_value
    words = [wanted] if isinstance(wanted, str) else list(wanted)
    expected = " or ".join(_KINDS.get(word, word) for word in words)
    return "wrong-type", f"{name} has to be {expected}, not {_shown(error.instance)}", ""


def _too_long(error: Any, name: str) -> Sentence:
    count, most = len(error.instance), error.validator_value
    return "too-long", f"{name} has {count:,} characters, the limit is {most:,}", ""


def _too_short(error: Any, name: str) -> Sentence:
    if not error.instance:
        return "required", f"{name} is empty", ""
    count, least = len(error.instance), error.validator_value
    return "too-short", f"{name} has {count:,} characters, at least {least:,} are needed", ""


def _enum(error: Any, name: str) -> Sentence:
    choices = [str(each) for each in error.validator_value]
    meant = near(str(error.instance), choices)
    guess = f"did you mean “{meant}”? " if meant else ""
    crop = name.endswith(".name") and ".crops[" in name
    code = "unknown-crop" if crop else "not-in-list"
    what = "is no crop of this project" if crop else "is not in the list"
    return code, f"{name}: “{cut(str(error.instance))}” {what}", f"{guess}it has: {listed(choices)}"


def _range(error: Any, name: str) -> Sentence:
    limit, value = error.validator_value, error.instance
    if error.validator == "minimum":
        return "too-small", f"{name} is {value}, the smallest allowed is {limit}", ""
    return "too-large", f"{name} is {value}, the largest allowed is {limit}", ""


def _count(error: Any, name: str) -> Sentence:
    limit, count = error.validator_value, len(error.instance)
    if error.validator == "maxItems":
        return "too-many", f"{name} has {count:,} items, the limit is {limit:,}", ""
    if not count:
        return "required", f"{name} is empty", ""
    return "too-few", f"{name} has {count:,} items, at least {limit:,} are needed", ""


def _empty(_error: Any, name: str) -> Sentence:
    return "required", f"{name} is empty", ""


def _missing(error: Any, name: str) -> Sentence:
    lacking = [key for key in error.validator_value if key not in error.instance]
    return "wrong-shape", f"{name} has no “{listed(lacking)}”", ""


def _date(error: Any, name: str) -> Sentence:
    form = "2003-04-12" if _format_of(error) != "date-time" else "2003-04-12T09:30:00Z"
    return "bad-date", f"{name}: {_shown(error.instance)} is not a date", f"write it as {form}"


def _pattern(error: Any, name: str) -> Sentence:
    if _format_of(error):
        return _date(error, name)
    text = f"{name}: {_shown(error.instance)} is not of the form {error.validator_value}"
    return "wrong-shape", text, ""


def _line_break(_error: Any, name: str) -> Sentence:
    return "line-break", f"{name} has a line break, and may not", "put it on one line"


def _other(error: Any, name: str) -> Sentence:
    return "wrong-shape", f"{name}: {cut(error.message, 160)}", ""


def _format_of(error: Any) -> str:
    schema = error.schema
    found = schema.get("format") if isinstance(schema, Mapping) else None
    return str(found) if found in ("date", "date-time") else ""


_SENTENCES: Mapping[str, Callable[[Any, str], Sentence]] = {
    "type": _type,
    "maxLength": _too_long,
    "minLength": _too_short,
    "enum": _enum,
    "minimum": _range,
    "maximum": _range,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _empty,
    "required": _missing,
    "format": _date,
    "pattern": _pattern,
    "not": _line_break,
}


def _shown(value: Json) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"“{cut(value)}”" if value else "an empty text"
        case list():
            return "a list"
        case dict():
            return "an object"
    return str(value)


@cache
def _formats() -> Any:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("date")(is_date)
    checker.checks("date-time")(is_datetime)
    return checker


@cache
def _validator_class() -> type[Draft202012Validator]:
    """Loaded when something is wrong; the import costs a tenth of a second."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator
