"""Objects of JSON and mappings of YAML to entries; the header that stands beside them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice, pairwise
from types import NoneType
from typing import Any

from ldimport.errors import ManifestError
from ldimport.manifest.fields import (
    FIELDS,
    PREFIX,
    check_columns,
    check_needed,
    field_of,
    taken_of,
)
from ldimport.manifest.kinds import Findings, Header, RowProblems
from ldimport.manifest.streams import Part
from ldimport.manifest.texts import BigNumber, check_numbers, compose, map_texts
from ldimport.model import MAX_CONTEXT_BYTES, Entry, Json
from ldimport.mojibake import visible
from ldimport.url import is_http_url
from ldimport.wire import encode

SURVEYED = 200
"""Entries whose keys are looked at before any is read."""
_MOST_KEYS, _DEEPEST, _FEW = 5_000, 5, 10
HEADER_KEYS = ("systemName", "webhook", "context")
HeaderKey = tuple[str, Json, int, str]
"""A key, its value, the line it stands in, and what is wrong with it ("" for nothing)."""
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_PLAIN = frozenset(FIELDS)
_MOST_SHAPES = 1_000
"""Sequences of keys remembered that need no cleaning."""
_KINDS = {NoneType: "null", bool: "true or false", int: "a number", float: "a number",
          BigNumber: "a number", str: "a text", list: "a list", dict: "an object"}  # fmt: skip


class ObjectBuilder:
    """Makes entries of one file's objects; ``textual``: their scalars are texts (YAML)."""

    def __init__(self, findings: Findings, name: str, *, textual: bool) -> None:
        self._findings = findings
        self._name = name
        self._mapping = findings.columns
        self._mapped = bool(self._mapping.columns) or not self._mapping.plain
        self._textual = textual
        self._taken: dict[str, str] = {}
        self._used: set[str] = set()
        self._surveying = True
        self._as_seen: set[tuple[str, ...]] = set()
        self.handles: tuple[str, ...] | None = None

    def survey(self, entries: Iterator[Entry]) -> dict[str, str]:
        """Look at the keys of the first entries: raises ManifestError when a mapped key is missing,
        or nothing gives id or url; settles which keys are taken for properties. Returns field ->
        key of those. ``handles`` are the properties, where all keys bear the names of fields."""
        keys = Keys()
        with suppress(ManifestError):  # told when it is reached
            for entry in islice(entries, SURVEYED):
                keys.add(entry.original)
        self._surveying = False
        mapping, paths = self._mapping, list(keys.paths())
        given = {name for key in keys.found if (name := field_of(key))} | {*mapping.columns}
        inner = keys.found.get("metadata")
        given |= {PREFIX + key for key in inner or ()}
        check_columns(paths, mapping, self._name, sure=keys.entries < SURVEYED and not keys.full)
        used = {lookup(keys.found, column)[0] for column, _, _ in mapping.needed()}
        free = [key for key in keys.found
                if field_of(key) is None and key not in used and key[:1] != "_"]  # fmt: skip
        taken = taken_of(free, mapping, given)
        self._findings.taken(taken, self._name)
        self._taken = {key: name for name, key in taken.fields.items()}
        if not self._mapped and keys.found.keys() <= _PLAIN:
            self.handles = (*(inner or ()),)
        self._used = {key for key in used if key is not None}
        leaves = [path for path in keys.leaves() if path.partition(".")[0] in free
                  and not re.search(r"\.\d+(?:\.|$)", path)]  # fmt: skip
        if leaves:
            check_needed(paths, given, mapping, self._name, leaves, what="key")
        return dict(taken.fields)

    def __call__(self, found: Json, problems: RowProblems, *, nfc_already: bool = False) -> Entry:
        """One entry. ``nfc_already``: its texts need not be composed."""
        if type(found) is not dict:
            return self._not_an_object(found, problems)
        values, metadata = found, found.get("metadata")
        seen = self._as_seen
        if tuple(found) not in seen or (type(metadata) is dict and tuple(metadata) not in seen):
            values = self._seen(found, "", problems)
        if self._mapped or not values.keys() <= _PLAIN:
            values = self._resolve(values, problems)
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
            if metadata is not None:
                message = f"metadata must be an object, not {_KINDS[type(metadata)]}"
                problems.add("wrong-type", "metadata", message, value=text_of(metadata))
            metadata = {}
        if not nfc_already:
            file_name = compose(file_name) if file_name else file_name
            media_type = compose(media_type) if media_type else media_type
            metadata = {key: map_texts(value, compose) for key, value in metadata.items()}
        if self._textual:
            file_name, media_type = file_name or None, media_type or None
            metadata = {key: each for key, each in metadata.items() if each not in ("", None)}
        if problems:  # the entry is not sent: big numbers as plain texts
            metadata = {key: map_texts(value, str) for key, value in metadata.items()}
        place, told = problems.place, problems.of(id_)
        return Entry(id_, url, file_name, media_type, metadata, place, self._textual, told, found)

    def _seen(self, found: dict[str, Json], path: str, problems: RowProblems) -> dict[str, Json]:
        """The object with keys as they are seen, in those of its values too that are objects."""
        result, keys = found, tuple(found)
        if keys not in self._as_seen:
            result = {}
            for key, value in found.items():
                if (name := visible(key)) in result:
                    text = f"“{name}” stands twice; one has signs that nobody sees"
                    problems.add("duplicate-key", f"{path}{name}", text)
                result[name] = value
            if tuple(result) == keys and len(self._as_seen) < _MOST_SHAPES:
                self._as_seen.add(keys)
        for key, value in result.items():
            if type(value) is dict:
                inner = self._seen(value, f"{key}.", problems)
                result = result if inner is value else {**result, key: inner}
        return result

    def _not_an_object(self, value: Json, problems: RowProblems) -> Entry:
        """An entry for an item that is a text, a number, a list or nothing."""
        if not problems:
            kind, joined = _KINDS[type(value)], ""
            if isinstance(value, list) and value and isinstance(value[0], dict):
                joined = ": does another file begin here?"
            message = f"an entry must be an object with id, url and fileName, not {kind}{joined}"
            problems.add("wrong-type", "", message, value=text_of(value))
        return problems.entry({}, textual=self._textual)

    def check_numbers(self, found: Json, problems: RowProblems) -> None:
        """Numbers that would be rounded on their way; the id may be one, as text."""
        id_key = self._mapping.columns.get("id")
        for key, value in found.items() if isinstance(found, dict) else ():
            if key == id_key or field_of(key) == "id":
                continue
            for inner, each in value.items() if isinstance(value, dict) else (("", value),):
                field = field_of(key) or key if key != "metadata" else f"metadata.{inner}"
                check_numbers(each, field, problems)

    def _id(self, value: Json, problems: RowProblems) -> str:
        """Whole numbers become the text of their digits; anything else is no id."""
        if isinstance(value, BigNumber) or (isinstance(value, int) and not isinstance(value, bool)):
            self._findings.number_ids += 1
            return str(value)
        return _text(value, "id", problems) or ""

    def _resolve(self, found: Mapping[str, Json], problems: RowProblems) -> dict[str, Json]:
        """Fields of an object that uses other names, is mapped, or has more than it needs."""
        values: dict[str, Json] = {}
        used = {*self._used}
        for name, path in self._mapping.columns.items():
            key, value = lookup(found, path)
            if key is not None:
                used.add(key)
                values[name] = value
        for key, value in found.items():
            name_ = field_of(key) or self._taken.get(key)
            if name_ is None:
                if key not in used and not self._surveying:
                    self._findings.unknown_key(self._name, key)
            elif name_ in values and name_ not in self._mapping.columns:
                problems.add("duplicate-key", name_, f"“{key}” is {name_} once more")
            else:
                values.setdefault(name_, value)
        self._compose(found, values)
        return _gathered(values)

    def _compose(self, found: Mapping[str, Json], values: dict[str, Json]) -> None:
        for name, template in self._mapping.templates.items():
            known = {column: lookup(found, column)[1] for column in template.columns}
            texts = {column: text_of(each) for column, each in known.items() if each is not None}
            values[name] = template.fill(texts)
        metadata = values.get("metadata")
        for name, text in self._mapping.constants.items():
            nested = metadata.get(name.removeprefix(PREFIX)) if isinstance(metadata, dict) else None
            own = values.get(name) if values.get(name) not in (None, "") else nested
            if own in (None, ""):
                values[name] = text
            elif own != text:
                self._findings.kept[name] += 1


class Keys:
    """The keys of objects, and of those in them: ``found`` as one object that holds them all."""

    def __init__(self) -> None:
        self.entries = 0
        self.found: dict[str, Any] = {}
        self._room = _MOST_KEYS

    def add(self, row: Mapping[str, Json]) -> None:
        """One object more."""
        self.entries += 1
        self._merge(self.found, row, _DEEPEST)

    def _merge(self, known: dict[str, Any], row: Mapping[str, Json], levels: int) -> None:
        for name, value in row.items():
            key = visible(name)
            if key not in known and self._room:
                known[key] = None
                self._room -= 1
            if isinstance(value, list):
                value = {str(n): each for n, each in enumerate(value[:_FEW])}
            if isinstance(value, dict) and value and levels and key in known:
                known[key] = known[key] or {}
                self._merge(known[key], value, levels - 1)

    @property
    def full(self) -> bool:
        """Whether there may be more."""
        return not self._room

    def paths(self) -> Iterator[str]:
        """Every key, as a path."""
        return (path for path, _ in _paths(self.found))

    def leaves(self) -> Iterator[str]:
        """Those that hold values."""
        return (path for path, inner in _paths(self.found) if inner is None)


def _paths(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in found.items():
        yield f"{before}{key}", inner
        yield from _paths(inner, f"{before}{key}.") if inner else ()


class ObjectPart(Part):
    """A file of objects, made into entries by ``_build``."""

    _build: ObjectBuilder

    def _begin(self) -> None:
        """Raises ManifestError when there are no entries, or their keys do not fit the mapping."""
        entries = self.entries(1)
        first = next(entries, None)
        if first is None:
            raise ManifestError(f"{self.name} has no entries", code="no-rows")
        self._keys = self._build.survey(chain([first], entries))

    def _named(self, field: str) -> str:
        """What the field is called in this file."""
        return self._keys.get(field) or super()._named(field)


def lookup(found: Mapping[str, Json], path: str) -> tuple[str | None, Json]:
    """(top-level key, value) of a name or a dotted path such as ``rights.owner.name``, by number in
    a list (``creators.0.name``); (None, None) when it is not there. An exact key wins over one in
    another case, that over a path."""
    path = path.strip()
    if (key := _key(found, path)) is not None:
        return key, found[key]
    for dot in (at for at, sign in enumerate(path) if sign == "."):
        if (key := _key(found, path[:dot])) is not None:
            inner, rest = found[key], path[dot + 1 :]
            if isinstance(inner, list):
                inner = {str(n): each for n, each in enumerate(inner)}
            inside, value = lookup(inner, rest) if isinstance(inner, dict) else (None, None)
            if inside is not None:
                return key, value
    return None, None


def _key(found: Mapping[str, Json], name: str) -> str | None:
    """The key of this name, exactly or in any case."""
    if name in found:
        return name
    wanted = name.casefold()
    return next((key for key in found if key.casefold() == wanted), None)


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
    shown = text_of(value)
    hint = f'put it in quotes: "{shown}"' if not isinstance(value, (dict, list)) else ""
    message = f"{name} must be a text, not {_KINDS[type(value)]}"
    problems.add("wrong-type", name, message, hint, shown)
    return shown


def text_of(value: Json) -> str:
    """A value as a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def name_fault(system_name: str) -> str:
    """What is wrong with a systemName, which can never be changed; "" when nothing is."""
    if not system_name.strip():
        return "is empty"
    if _INVISIBLE.search(system_name):
        return "has invisible characters"
    return "has blanks at its ends" if system_name != system_name.strip() else ""


def read_header(name: str, findings: Findings, keys: Iterable[HeaderKey]) -> Header:
    """The header of the file ``name``. Keys that the API has not are noted. Raises ManifestError
    for what the request would be refused for, and when a key stands there twice."""
    found: dict[str, Any] = {}
    for key, value, line, problem in keys:
        if key not in HEADER_KEYS:
            findings.unknown_key(name, key)
            continue
        again = " stands there twice; two files joined?" if key in found else ""
        if fault := f": {problem}" if problem else again or _fault(key, value):
            raise ManifestError(f"{name}:{line}: {key}{fault}", code="bad-header")
        if value is not None:
            found[key] = value
    return Header(*map(found.get, HEADER_KEYS))


def merged(headers: Iterable[tuple[str, Header]]) -> Header:
    """One header for several files, each with its name. Raises ManifestError when two differ."""
    told = [(name, header) for name, header in headers if header != Header()]
    for (origin, one), (name, other) in pairwise(told):
        if one != other:
            message = f"{name} and {origin} differ in systemName, webhook or context"
            hint = "import them one after the other"
            raise ManifestError(message, hint=hint, code="bad-header")
    return told[0][1] if told else Header()


def _fault(key: str, value: Json) -> str:
    """What is wrong with a value; it goes on behind the key."""
    if value is None:
        return ""
    if not isinstance(value, dict if key == "context" else str):
        return f" must be {'an object' if key == 'context' else 'a text'}"
    if key == "webhook":
        return "" if is_http_url(str(value)) else " must be an http or https URL"
    if key == "systemName":
        return f" {name_fault(str(value))}".rstrip()
    try:
        size = len(encode(value))
    except (ValueError, RecursionError):
        return " cannot be written as JSON"
    limit = f"the limit is {MAX_CONTEXT_BYTES:,}"
    return f" is {size:,} bytes of JSON, {limit}" if size > MAX_CONTEXT_BYTES else ""
