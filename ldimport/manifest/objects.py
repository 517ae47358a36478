"""Objects of JSON and mappings of YAML to entries."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ldimport.manifest.fields import FIELDS, PREFIX, FieldMap, field_of
from ldimport.manifest.jsontext import BigNumber, big_numbers, nfc, too_big
from ldimport.manifest.kinds import Findings, RowProblems
from ldimport.manifest.normalise import compose
from ldimport.model import Entry, Json

_PLAIN = frozenset(FIELDS)


class ObjectBuilder:
    """Makes entries of one file's objects; ``textual``: their scalars are texts (YAML)."""

    def __init__(self, findings: Findings, name: str, *, textual: bool) -> None:
        self._findings = findings
        self._name = name
        self._mapping = findings.columns
        self._mapped = bool(self._mapping.columns) or not self._mapping.plain
        self._textual = textual

    def __call__(self, found: Json, problems: RowProblems, *, nfc_already: bool = False) -> Entry:
        """One entry. ``nfc_already``: its texts need not be composed."""
        if type(found) is not dict:
            return self._not_an_object(found, problems)
        if not self._mapped and found.keys() <= _PLAIN:
            values = found
        else:
            values = self._resolve(found, problems)
        metadata = values.get("metadata")
        id_, url = values.get("id"), values.get("url")
        file_name, media_type = values.get("fileName"), values.get("mediaType")
        if type(id_) is not str:
            id_ = self._id(id_, problems)
        if type(url) is not str:
            url = _text(url, "url", problems) or ""
        if type(file_name) is not str:
            file_name = _text(file_name, "fileName", problems)
        if type(media_type) is not str:
            media_type = _text(media_type, "mediaType", problems)
        if type(metadata) is not dict:
            metadata = _metadata(metadata, problems)
        if not nfc_already:
            file_name = compose(file_name) if file_name else file_name
            media_type = compose(media_type) if media_type else media_type
            metadata = {key: nfc(value) for key, value in metadata.items()}
        if self._textual:
            file_name, media_type = file_name or None, media_type or None
            metadata = {key: each for key, each in metadata.items() if each not in ("", None)}
        if problems:  # the entry is not sent: big numbers as plain texts
            metadata = {key: _plain(value) for key, value in metadata.items()}
        return Entry(
            id_,
            url,
            file_name,
            media_type,
            metadata,
            problems.place,
            self._textual,
            problems.of(id_),
            found,
        )

    def _not_an_object(self, value: Json, problems: RowProblems) -> Entry:
        """An entry for an item that is a text, a number, a list or nothing."""
        if not problems:
            message = f"an entry must be an object with id, url and fileName, not {kind_of(value)}"
            problems.add("wrong-type", "", message, value=_shown(value))
        place = problems.place
        return Entry("", "", None, None, {}, place, self._textual, tuple(problems), {})

    def check_numbers(self, found: Json, problems: RowProblems) -> None:
        """Numbers that would be rounded on their way; the id may be one, as text."""
        id_key = self._mapping.columns.get("id")
        for key, value in found.items() if isinstance(found, dict) else ():
            if key == id_key or field_of(key) == "id":
                continue
            for inner, each in value.items() if isinstance(value, dict) else (("", value),):
                field = field_of(key) or key if key != "metadata" else f"metadata.{inner}"
                for big in big_numbers(each):
                    too_big(big, field, problems)

    def _id(self, value: Json, problems: RowProblems) -> str:
        """Whole numbers become the text of their digits; anything else is no id."""
        if isinstance(value, BigNumber) or (isinstance(value, int) and not isinstance(value, bool)):
            self._findings.number_ids += 1
            return str(value)
        return _text(value, "id", problems) or ""

    def _resolve(self, found: Mapping[str, Json], problems: RowProblems) -> dict[str, Json]:
        """Fields of an object that uses other names, is mapped, or has more than it needs."""
        values: dict[str, Json] = {}
        used = {key for each in self._mapping.templates.values() for key in each.columns}
        for name, path in self._mapping.columns.items():
            key, value = lookup(found, path)
            if key is not None:
                used.add(key)
                values[name] = value
        for key, value in found.items():
            name_ = field_of(key)
            if name_ is None:
                if key not in used:
                    self._findings.unknown_key(self._name, key)
            elif name_ in values and name_ not in self._mapping.columns:
                problems.add("duplicate-key", name_, f"“{key}” is {name_} once more")
            else:
                values.setdefault(name_, value)
        self._compose(found, values)
        return _gathered(values)

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
    whole = values.get("metadata")
    if flat and (whole is None or isinstance(whole, dict)):
        return {**values, "metadata": {**(whole or {}), **flat}}
    return values


def _text(value: Json, name: str, problems: RowProblems) -> str | None:
    if value is None or (isinstance(value, str) and not isinstance(value, BigNumber)):
        return value
    shown = _shown(value)
    hint = f'put it in quotes: "{shown}"' if not isinstance(value, (dict, list)) else ""
    message = f"{name} must be a text, not {kind_of(value)}"
    problems.add("wrong-type", name, message, hint, shown)
    return shown


def _metadata(value: Json, problems: RowProblems) -> dict[str, Json]:
    if value is not None:
        message = f"metadata must be an object, not {kind_of(value)}"
        problems.add("wrong-type", "metadata", message, value=_shown(value))
    return {}


def _plain(value: Json) -> Json:
    if isinstance(value, BigNumber):
        return str(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _plain_text(value: Json) -> str:
    return "" if value is None else _shown(value)


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
