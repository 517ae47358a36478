"""Objects of JSON and mappings of YAML to entries."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ldimport.manifest.fields import PREFIX, FieldMap, field_of
from ldimport.manifest.findings import Findings, of_entry, problem
from ldimport.manifest.jsontext import BigNumber, big_numbers, nfc, too_big
from ldimport.manifest.normalise import compose
from ldimport.model import Entry, Json, Place, Problem

_PLAIN = frozenset(("id", "url", "fileName", "mediaType", "metadata"))


class ObjectBuilder:
    """Makes entries of one file's objects; ``textual``: their scalars are texts (YAML)."""

    def __init__(self, findings: Findings, name: str, *, textual: bool) -> None:
        self._findings = findings
        self._name = name
        self._mapping = findings.columns
        self._mapped = bool(self._mapping.columns) or not self._mapping.plain
        self._textual = textual

    def not_an_object(self, value: Json, place: Place, problems: list[Problem]) -> Entry:
        """An entry for an item that is a text, a number, a list or nothing."""
        if not problems:
            message = f"an entry must be an object with id, url and fileName, not {kind_of(value)}"
            problems.append(problem("wrong-type", place, "", message, value=_shown(value)))
        return Entry("", "", None, None, {}, place, self._textual, tuple(problems), {})

    def __call__(
        self, found: dict[str, Json], place: Place, problems: list[Problem], *, nfc_already: bool
    ) -> Entry:
        """One entry. ``nfc_already``: its texts need not be composed."""
        if not self._mapped and found.keys() <= _PLAIN:
            values = found
        else:
            values = self._resolve(found, place, problems)
        metadata = values.get("metadata")
        id_, url = values.get("id"), values.get("url")
        file_name, media_type = values.get("fileName"), values.get("mediaType")
        if type(id_) is not str:
            id_ = self._id(id_, place, problems)
        if type(url) is not str:
            url = _text(url, "url", place, problems) or ""
        if type(file_name) is not str:
            file_name = _text(file_name, "fileName", place, problems)
        if type(media_type) is not str:
            media_type = _text(media_type, "mediaType", place, problems)
        if type(metadata) is not dict:
            metadata = _metadata(metadata, place, problems)
        if not nfc_already:
            file_name = compose(file_name) if file_name else file_name
            media_type = compose(media_type) if media_type else media_type
            metadata = _composed(metadata)
        if self._textual:
            file_name, media_type = file_name or None, media_type or None
            metadata = {key: each for key, each in metadata.items() if each not in ("", None)}
        if problems:
            metadata = _without_big_numbers(metadata)
        return Entry(
            id_,
            url,
            file_name,
            media_type,
            metadata,
            place,
            self._textual,
            of_entry(problems, id_),
            found,
        )

    def check_numbers(self, found: dict[str, Json], place: Place) -> list[Problem]:
        """Numbers that would be rounded on their way; the id may be one, as text."""
        id_key = self._mapping.columns.get("id")
        return [
            too_big(big, place, field_of(key) or key if key != "metadata" else f"metadata.{inner}")
            for key, value in found.items()
            if key != id_key and field_of(key) != "id"
            for inner, each in (value.items() if isinstance(value, dict) else (("", value),))
            for big in big_numbers(each)
        ]

    def _id(self, value: Json, place: Place, problems: list[Problem]) -> str:
        """Whole numbers become the text of their digits; anything else is no id."""
        if isinstance(value, BigNumber) or (isinstance(value, int) and not isinstance(value, bool)):
            self._findings.number_ids += 1
            return str(value)
        return _text(value, "id", place, problems) or ""

    def _resolve(
        self, found: Mapping[str, Json], place: Place, problems: list[Problem]
    ) -> dict[str, Json]:
        """Fields of an object that uses other names, is mapped, or has more than it needs."""
        values: dict[str, Json] = {}
        used: set[str] = set()
        for name, path in self._mapping.columns.items():
            key, value = lookup(found, path)
            if key is not None:
                used.add(key)
                values[name] = value
        for key, value in found.items():
            name_ = field_of(key)
            if name_ is None:
                if key not in used and not self._in_template(key):
                    self._findings.unknown_key(self._name, key)
            elif name_ in values and name_ not in self._mapping.columns:
                message = f"“{key}” is {name_} once more"
                problems.append(problem("duplicate-key", place, name_, message))
            else:
                values.setdefault(name_, value)
        self._compose(found, values)
        return _gathered(values)

    def _in_template(self, key: str) -> bool:
        return any(key in template.columns for template in self._mapping.templates.values())

    def _compose(self, found: Mapping[str, Json], values: dict[str, Json]) -> None:
        for name, template in self._mapping.templates.items():
            known = {column: _plain_text(lookup(found, column)[1]) for column in template.columns}
            values[name] = template.fill(known)
        metadata = values.get("metadata")
        for name, text in self._mapping.constants.items():
            nested = metadata.get(name.removeprefix(PREFIX)) if isinstance(metadata, dict) else None
            own = values.get(name) if values.get(name) not in (None, "") else nested
            if own in (None, ""):
                values[name] = text
            elif own != text:
                self._findings.kept[name] += 1


def lookup(found: Mapping[str, Json], path: str) -> tuple[str | None, Json]:
    """(top-level key, value) of a name or a dotted path such as ``iptc.caption``; (None, None)
    when it is not there. An exact key wins over one in another case, that over a path."""
    if path in found:
        return path, found[path]
    folded = path.strip().casefold()
    for key, value in found.items():
        if key.casefold() == folded:
            return key, value
    head, dot, rest = path.partition(".")
    inner = found.get(head)
    if dot and isinstance(inner, dict):
        key_, value = lookup(inner, rest)
        return (head, value) if key_ is not None else (None, None)
    return None, None


def source_key(mapping: FieldMap, field: str) -> str:
    """The key or path that a field is read from."""
    return mapping.columns.get(field, field)


def kind_of(value: Json) -> str:
    """What a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float() | BigNumber():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"


def _gathered(values: dict[str, Json]) -> dict[str, Json]:
    """``metadata.credit`` beside ``metadata`` goes into it."""
    flat = {name[len(PREFIX) :]: value for name, value in values.items() if name.startswith(PREFIX)}
    if not flat:
        return values
    whole = values.get("metadata")
    if whole is None or isinstance(whole, dict):
        return {**values, "metadata": {**(whole or {}), **flat}}
    return values


def _text(value: Json, name: str, place: Place, problems: list[Problem]) -> str | None:
    if value is None or (isinstance(value, str) and not isinstance(value, BigNumber)):
        return value
    hint = f'put it in quotes: "{_shown(value)}"' if not isinstance(value, (dict, list)) else ""
    message = f"{name} must be a text, not {kind_of(value)}"
    problems.append(problem("wrong-type", place, name, message, hint, _shown(value)))
    return _shown(value)


def _metadata(value: Json, place: Place, problems: list[Problem]) -> dict[str, Json]:
    if value is not None:
        message = f"metadata must be an object, not {kind_of(value)}"
        problems.append(problem("wrong-type", place, "metadata", message, value=_shown(value)))
    return {}


def _composed(metadata: dict[str, Json]) -> dict[str, Json]:
    return {key: nfc(value) for key, value in metadata.items()}


def _without_big_numbers(metadata: dict[str, Json]) -> dict[str, Json]:
    """Big numbers as plain texts: the entry has a problem and is not sent."""
    return {key: _plain(value) for key, value in metadata.items()}


def _plain(value: Json) -> Json:
    if isinstance(value, BigNumber):
        return str(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _plain_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _shown(value)


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
