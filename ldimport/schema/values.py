"""Values of one property: decided by ``jsonschema-rs``, explained by ``jsonschema``."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from math import inf
from typing import Any

from jsonschema_rs import Draft202012Validator

from ldimport.cells import Writing
from ldimport.model import MAX_VALUE, Json, Severity
from ldimport.mojibake import INVISIBLE, MANGLED, is_whole
from ldimport.schema.coerce import PLAIN, coercion, reads_text
from ldimport.schema.config import ProjectConfig
from ldimport.schema.dates import is_date, is_datetime, moment
from ldimport.schema.findings import BadValue, Finding, cut, listed, proposed
from ldimport.schema.jsonschema import (
    storage_schema,
    value_schema,
    with_definitions,
)
from ldimport.schema.nothing import NOTHING
from ldimport.schema.options import Options, scalar_text
from ldimport.schema.properties import Property, ValueShape
from ldimport.schema.violations import violations
from ldimport.wire import characters

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def _warning(code: str, message: str, hint: str = "", value: str = "") -> Finding:
    return Finding(code, message, hint, Severity.WARNING, value=value)


def too_long(field: str, size: int, most: int) -> Finding:
    """The finding about a text beyond the limit of ours that ``model`` names."""
    return Finding("too-long", f"{field} has {size:,} characters, the limit is {most:,}")


def text_advice(field: str, text: str) -> Iterator[Finding]:
    """Letters that an encoding mangled or lost, and signs that nobody sees."""
    if is_whole(text):
        return
    if unseen := dict.fromkeys(INVISIBLE.findall(text)):
        named = listed(f"U+{ord(sign):04X}" for sign in unseen)
        told = f"{field} holds signs that nobody sees ({named}): “{cut(INVISIBLE.sub('�', text))}”"
        hint = "take them out: they are stored, and feeds and pages may break on them"
        yield _warning("invisible-characters", told, hint, text)
    found = MANGLED.search(text)
    if found and found[0] == "\ufffd":
        told, hint = f"{field}: a letter is lost (�): “{cut(text)}”", "export it again as UTF-8"
        yield _warning("replacement-character", told, hint, text)
    elif found:
        told = f"{field}: “{cut(text)}” looks like UTF-8 read as Windows-1252"
        hint = "check the program that exported it, or --encoding"
        yield _warning("mojibake", told, hint, text)


def _advice(found: Property, config: ProjectConfig) -> Iterator[Callable[..., Iterator[Finding]]]:
    """The functions that look at values of one property, given its field."""
    if found.shape is ValueShape.TEXT:
        if (most := found.number("maxLength")) is not None:
            yield partial(_astral, most=int(most))
        ends = found.number("recommendedMinLength"), found.number("recommendedMaxLength")
        if any(ends):
            yield partial(_recommended, least=ends[0], most=ends[1])
    if found.options is not None and found.plugin in ("li-text", "li-integer", "li-system-integer"):
        choices = [value for value, _ in found.options]
        yield partial(_unlisted, choices=choices, options=Options(found.options))
    wanted = [name for name, optional in (found.crops or {}).items() if not optional]
    if wanted:
        yield partial(_crops, wanted=wanted)
    match found.plugin:
        case "li-color":
            yield _colour
        case "li-datetime-validity":
            yield _validity
        case "li-metadata-translations" if config.locales is not None:
            yield partial(_reference, key="locale", known=config.locales)
        case "li-license-profile" if config.licences is not None:
            yield partial(_reference, key="handle", known=config.licences)


def _astral(field: str, value: Json, most: int) -> Iterator[Finding]:
    """JavaScript counts UTF-16 units, JSON Schema characters: they differ for emoji."""
    if isinstance(value, str) and len(value) <= most < (units := _utf16_units(value)):
        text = f"{field} has {units:,} UTF-16 units, the limit is {most:,} of one or the other"
        yield _warning("maybe-too-long", text, "make it shorter, or take out emoji", value)


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _recommended(
    field: str, value: Json, least: float | None, most: float | None
) -> Iterator[Finding]:
    if isinstance(value, str) and not (least or 0) <= len(value) <= (inf if most is None else most):
        wanted = f"{least or 0:,} to {most:,}" if most is not None else f"at least {least:,}"
        text = f"{field} has {len(value):,} characters, recommended are {wanted}"
        yield _warning("recommended-length", text, value=value)


def _unlisted(
    field: str, value: Json, choices: Sequence[Json], options: Options
) -> Iterator[Finding]:
    if value not in choices:
        text = f"{field}: “{cut(str(value))}” is not among the values proposed"
        yield _warning("unlisted", text, options.hint(str(value)), str(value))


def _crops(field: str, value: Json, wanted: Sequence[str]) -> Iterator[Finding]:
    crops = value.get("crops") if isinstance(value, dict) else None
    listing = crops if isinstance(crops, list) else []
    given = [each.get("name") for each in listing if isinstance(each, dict)]
    if lacking := [name for name in wanted if name not in given]:
        hint = "Livingdocs makes these at an upload, perhaps not at an import"
        yield _warning("missing-crop", f"{field} has no crop {listed(lacking)}", hint)


def _colour(field: str, value: Json) -> Iterator[Finding]:
    if isinstance(value, str) and value and not _HEX.fullmatch(value):
        text = f"{field}: “{cut(value)}” is not a colour such as #8CBA51"
        yield _warning("unusual-colour", text, value=value)


def _validity(field: str, value: Json) -> Iterator[Finding]:
    ends = (value.get("from"), value.get("to")) if isinstance(value, dict) else (None, None)
    start, end = (moment(each) if isinstance(each, str) and is_datetime(each) else None
                  for each in ends)  # fmt: skip
    if start and end and start > end:
        yield _warning("validity", f"{field} ends before it begins")
    elif end and end < datetime.now(UTC):
        yield _warning("validity", f"{field} is over: the image is invalid as soon as it arrives")


def _reference(field: str, value: Json, key: str, known: Sequence[str]) -> Iterator[Finding]:
    name = value.get(key) if isinstance(value, dict) else None
    if isinstance(name, str) and name not in known:
        text = f"{field}: the project has no {key} “{cut(name)}”"
        yield _warning("unlisted", text, proposed(name, known), name)


EMPTY: tuple[Json, ...] = (None, "", [], {})
"""What counts as no value."""
REMEMBERED, _SHORT = 10_000, 500
"""Cells remembered for one property, and how many characters each has at most."""
_FORMATS = {"date": is_date, "date-time": is_datetime}


def decider(schema: Mapping[str, Any]) -> Draft202012Validator:
    """What says of a value, quickly and without a reason, whether it has this shape."""
    return Draft202012Validator(dict(schema), validate_formats=True, formats=_FORMATS)


class ValueCheck:
    """Everything about the values of one property. ``writing``: how its column writes them.

    It remembers texts that are right (no words for nothing).
    ``any_text``: texts up to so many characters are right whatever they say, unless mangled; None
    where more counts than length.
    """

    def __init__(self, found: Property, config: ProjectConfig, writing: Writing = PLAIN) -> None:
        self.property = found
        self.field = f"metadata.{found.handle}"
        self.advice = [partial(advise, self.field) for advise in _advice(found, config)]
        self.options = None if found.options is None else Options(found.options)
        self.reads_text = reads_text(found, writing)
        self._values = writing.values
        self._coerce = coercion(found, writing)
        self._good: dict[str, Json] = {}
        self._typed: dict[str, Json] = {}
        self.any_text = None if self._values else _any_text(found)
        self.translates = bool(self._values) or self.options is not None
        self._shape = with_definitions(storage_schema(found))
        self._whole = with_definitions(value_schema(found))

    def read(self, value: Json, *, textual: bool) -> Json:
        """What is stored of a value as it stands in a manifest, "" and None for nothing. Raises
        BadValue."""
        if self._values and (word := scalar_text(value)) is not None:
            value = self._values.get(word.strip(), value)
        if not isinstance(value, str) or not value:
            return self._translated(value) if self.translates else value
        if self.options is not None and (found := self.options.find(value)) is not None:
            return [found] if self.property.shape is ValueShape.TEXTS and textual else found
        if textual or self.reads_text:
            value = self._coerce(value)
        return self._translated(value) if self.translates else value

    def _translated(self, value: Json) -> Json:
        """With the values that items of a list mean."""
        if isinstance(value, list) and self._values:
            meant = (self._values.get(each.strip(), each) if isinstance(each, str) else each
                     for each in value)  # fmt: skip
            value = [each for each in meant if each != ""]
        return value if self.options is None else self.options.of(value)

    def right(self, *, textual: bool) -> dict[str, Json]:
        """What remembers texts that are right, with their values."""
        return self._good if textual or self.reads_text else self._typed

    def accepts(self, text: str, *, textual: bool = True) -> bool:
        """Whether nothing is said about a text; it is remembered then, if there is room."""
        right = self.right(textual=textual)
        if text in right:
            return True
        try:
            value = self.read(text, textual=textual)
        except BadValue:
            return False
        if value in EMPTY or next(self.findings(value), None) is not None:
            return False
        if len(right) < REMEMBERED and len(text) <= _SHORT and text not in NOTHING:
            right[text] = value
        return True

    def value(self, text: str, *, textual: bool) -> Json:
        """What is stored of a text that it ``accepts``."""
        return self.right(textual=textual).get(text) or self.read(text, textual=textual)

    def findings(self, value: Json) -> Iterator[Finding]:
        """What is wrong with a stored value that is there, and what is odd about it. What the
        plugin cannot store hides what the config says about it."""
        if not self._shape_decider.is_valid(value):
            found = list(violations(self._shape, value, self.field, publishing=False))
            yield from found or [Finding("wrong-shape", f"{self.field} is not as it is stored")]
            return
        if not self._whole_decider.is_valid(value):
            for each in violations(self._whole, value, self.field, publishing=True):
                if each.code == "not-in-list" and self.options is not None:
                    each = replace(each, hint=self.options.hint(each.value))
                if each.code != "too-short" or self._too_short(value):
                    yield each
        yield from self.odd(value)

    def odd(self, value: Json) -> Iterator[Finding]:
        """What no schema says about a value: too much of it, and warnings."""
        if (size := characters(value)) > MAX_VALUE:
            yield too_long(self.field, size, MAX_VALUE)
        for advise in self.advice:
            yield from advise(value)
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, str):
                yield from text_advice(self.field, each)

    def missing(self, *, has_title: bool, fills: bool = False) -> Finding:
        """The finding about a required property that is absent; ``fills``: the file may have it."""
        if has_title:
            told = f"{self.field} is empty: fileName becomes the title"
            return _warning("title-from-file-name", told)
        if fills:
            told = f"{self.field} is empty: filled from the file at import if it is there"
            return _warning("filled-from-file", told, "an image whose file lacks it fails then")
        text = self.property.config.get("requiredErrorMessage")
        own = f": {text}" if isinstance(text, str) and text else ""
        handle = self.property.handle
        hint = f'fill it, or map a column: --map {handle}=COLUMN; or for all: --set {handle}="…"'
        return Finding("required", f"{self.field} is empty{own}", hint, publishing=True)

    def _too_short(self, value: Json) -> bool:
        """Whether a text is so in UTF-16 units too, which JavaScript counts."""
        least = self.property.number("minLength")
        return not isinstance(value, str) or least is None or _utf16_units(value) < least

    @cached_property
    def _shape_decider(self) -> Draft202012Validator:
        return decider(self._shape)

    @cached_property
    def _whole_decider(self) -> Draft202012Validator:
        return decider(self._whole)


def _any_text(found: Property) -> int | None:
    """See ``ValueCheck.any_text``. Half of maxLength, since an emoji counts twice in JavaScript:
    longer texts get the closer look."""
    limited = {"minLength", "recommendedMinLength", "recommendedMaxLength", "dataProvider"}
    if found.plugin not in ("li-text", "li-external-id", "li-media-handle"):
        return None
    if limited & found.config.keys() or found.config.get("allowNewlines") is False:
        return None
    most = found.number("maxLength")
    return MAX_VALUE if most is None else min(MAX_VALUE, int(most) // 2)
