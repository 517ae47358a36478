"""Values of one property, and the metadata of one media type: decided by ``jsonschema-rs``,
explained by ``jsonschema``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from jsonschema_rs import Draft202012Validator

from ldimport.cells import Writing
from ldimport.model import Json, Severity
from ldimport.mojibake import is_whole
from ldimport.schema.advice import advice_for, text_advice
from ldimport.schema.coerce import PLAIN, coercion, reads_text
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.dates import is_date, is_datetime
from ldimport.schema.findings import SHOWN, BadValue, Finding, listed, near
from ldimport.schema.jsonschema import (
    media_type_schema,
    storage_schema,
    value_schema,
    with_definitions,
)
from ldimport.schema.plugins import ValueShape
from ldimport.schema.properties import Property
from ldimport.schema.violations import violations

_EMPTY: tuple[Json, ...] = (None, "", [], {})
REMEMBERED = 10_000
"""Cells remembered for one property."""
_FORMATS = {"date": is_date, "date-time": is_datetime}


def _decider(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(dict(schema), validate_formats=True, formats=_FORMATS)


class ValueCheck:
    """Everything about the values of one property. ``writing``: how its column writes them.

    ``good`` remembers cells that are right, with their values; ``any_text``: texts up to so many
    characters are right whatever they say, unless mangled; None where more counts than length.
    """

    def __init__(self, found: Property, config: ProjectConfig, writing: Writing = PLAIN) -> None:
        self.property = found
        self.field = f"metadata.{found.handle}"
        self.advice = advice_for(found, config)
        self.reads_text = reads_text(found, writing)
        self.coerce = coercion(found, writing)
        self.good: dict[str, Json] = {}
        self.any_text = _any_text(found)
        self._shape = with_definitions(storage_schema(found))
        self._whole = with_definitions(value_schema(found))

    def accepts(self, text: str) -> bool:
        """Whether a cell becomes a value that nothing is said about; then ``good`` has its value,
        as long as there is room."""
        if text in self.good:
            return True
        try:
            value = self.coerce(text)
        except BadValue:
            return False
        if not text or next(self.findings(value), None) is not None:
            return False
        if len(self.good) < REMEMBERED:
            self.good[text] = value
        return True

    def findings(self, value: Json) -> Iterator[Finding]:
        """What is wrong with a stored value that is there, and what is odd about it. What the
        plugin cannot store hides what the config says about it."""
        if not self._shape_decider.is_valid(value):
            found = list(violations(self._shape, value, self.field, publishing=False))
            yield from found or [Finding("wrong-shape", f"{self.field} is not as it is stored")]
            return
        if not self._whole_decider.is_valid(value):
            for each in violations(self._whole, value, self.field, publishing=True):
                yield from self._counted_in_utf16(each, value)
        yield from self.odd(value)

    def odd(self, value: Json) -> Iterator[Finding]:
        """Warnings about a value."""
        for advise in self.advice:
            yield from advise(value)
        if isinstance(value, str):
            yield from text_advice(self.field, value)
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, str):
                    yield from text_advice(self.field, each)

    def missing(self, *, has_title: bool) -> Finding:
        """The finding about a required property that is absent."""
        if has_title:
            return Finding(
                "title-from-file-name",
                f"{self.field} is empty: fileName becomes the title",
                severity=Severity.WARNING,
            )
        text = self.property.config.get("requiredErrorMessage")
        own = f": {text}" if isinstance(text, str) and text else ""
        handle = self.property.handle
        hint = f'give every row a value: --set {handle}="…"'
        return Finding("required", f"{self.field} is empty{own}", hint, publishing=True)

    def _counted_in_utf16(self, found: Finding, value: Json) -> Iterator[Finding]:
        """JavaScript counts UTF-16 units: a text that is long enough in these may be meant so."""
        least = self.property.number("minLength")
        if found.code == "too-short" and isinstance(value, str) and least is not None:
            units = len(value.encode("utf-16-le", "surrogatepass")) // 2
            if units >= least:
                return
        yield found

    @cached_property
    def _shape_decider(self) -> Draft202012Validator:
        return _decider(self._shape)

    @cached_property
    def _whole_decider(self) -> Draft202012Validator:
        return _decider(self._whole)


def _any_text(found: Property) -> int | None:
    """See ``ValueCheck.any_text``. Half of maxLength, since an emoji counts twice in JavaScript:
    longer texts get the closer look."""
    limited = {"minLength", "recommendedMinLength", "recommendedMaxLength", "dataProvider"}
    if found.plugin not in ("li-text", "li-external-id", "li-media-handle"):
        return None
    if limited & found.config.keys() or found.config.get("allowNewlines") is False:
        return None
    most = found.number("maxLength")
    return 1 << 30 if most is None else int(most) // 2


class MetadataCheck:
    """Metadata of one media type, coerced and checked."""

    def __init__(
        self,
        config: ProjectConfig,
        media_type: MediaType,
        writings: Mapping[str, Writing] | None = None,
    ) -> None:
        self.media_type = media_type
        self.values = {
            handle: ValueCheck(each, config, (writings or {}).get(f"metadata.{handle}", PLAIN))
            for handle, each in media_type.properties.items()
        }
        self.required = {h for h, each in media_type.properties.items() if each.required}
        schema = media_type_schema(config, media_type)
        schema.pop("required", None)  # asked by hand: fileName may stand for a title
        self._decider = _decider(schema)

    def quick(self, metadata: Mapping[str, Json], *, textual: bool) -> dict[str, Json] | None:
        """The stored values of metadata that nothing at all is to be said about; None when
        something may be."""
        stored: dict[str, Json] = {}
        for handle, value in metadata.items():
            check = self.values.get(handle)
            if check is None:
                return None
            if type(value) is str and value and check.any_text is not None:
                if len(value) > check.any_text or not is_whole(value):
                    return None
            elif type(value) is str and value and (textual or check.reads_text):
                if not check.accepts(value):
                    return None
                value = check.good[value] if value in check.good else check.coerce(value)
            elif value in _EMPTY or next(check.findings(value), None) is not None:
                return None
            stored[handle] = value
        return stored if self.required <= stored.keys() else None

    def coerced(
        self, metadata: Mapping[str, Json], *, textual: bool
    ) -> tuple[dict[str, Json], list[tuple[str, Finding]]]:
        """Values as they are stored, without absent ones, and what could not be read, each with
        its handle."""
        found: dict[str, Json] = {}
        bad: list[tuple[str, Finding]] = []
        for handle, value in metadata.items():
            check = self.values.get(handle)
            if value is None or (
                value == "" and check and check.property.shape is not ValueShape.TEXT
            ):
                continue
            if check is None or not isinstance(value, str) or not (textual or check.reads_text):
                found[handle] = value
                continue
            try:
                found[handle] = check.coerce(value) if value else value
            except BadValue as error:
                text = f"{check.field}: {error.message}"
                bad.append((handle, Finding(error.code, text, error.hint, value=value[:SHOWN])))
        return found, bad

    def findings(
        self, metadata: Mapping[str, Json], *, has_title: bool, skip: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, Finding]]:
        """All findings, each with its handle. ``has_title``: there is a fileName; ``skip``:
        handles that something was found about already."""
        for handle, check in self.values.items():
            if handle in self.required and metadata.get(handle) in _EMPTY and handle not in skip:
                yield handle, check.missing(has_title=has_title and handle == "title")
        if not self._decider.is_valid(metadata):
            yield from self._wrong(metadata)
            return
        for handle, value in metadata.items():
            check = self.values[handle]
            if check.advice or not isinstance(value, str) or not value.isascii():
                yield from ((handle, each) for each in check.odd(value))

    def _wrong(self, metadata: Mapping[str, Json]) -> Iterator[tuple[str, Finding]]:
        for handle, value in metadata.items():
            check = self.values.get(handle)
            if check is None:
                yield handle, self._unknown(handle)
            elif not (check.property.required and value in _EMPTY):
                yield from ((handle, each) for each in check.findings(value))

    def _unknown(self, handle: str) -> Finding:
        known = list(self.values)
        guess = near(handle, known)
        has = f"it has: {listed(known)}" if known else "it has none"
        return Finding(
            "unknown-property",
            f"media type “{self.media_type.handle}” has no property “{handle}”",
            f"did you mean {guess}? {has}" if guess else has,
        )
