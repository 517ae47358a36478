"""Which column feeds which field: names, aliases, and what the user maps, sets and composes; a
table's header against them.

In the config file, ``manifest:`` maps a field to where it comes from::

    manifest:
      id: Bildnummer                          # a column
      fileName: "{Titel} ({Jahr})"            # a template over columns
      metadata.source: {value: Archiv}        # for every row that has none
      metadata.taken: {column: Datum, date: "%d.%m.%Y"}
      metadata.updated: {zone: Europe/Zurich} # of times that name none
      metadata.keywords: {separator: "|"}     # how a list is written in one cell

A name that is no field of the API means a metadata property: ``credit`` is ``metadata.credit``.
"""

from __future__ import annotations

import re
import shlex
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import product
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ldimport.cells import Writing
from ldimport.errors import ConfigError, LdimportError, ManifestError, UsageError, did_you_mean
from ldimport.model import Json
from ldimport.mojibake import disguised, visible

FIELDS = ("id", "url", "fileName", "mediaType", "metadata")
"""The fields of an entry, as the API names them; ``metadata.<handle>`` beside them."""
PREFIX = "metadata."
_OPTIONS = ("column", "value", "template", "separator", "date", "zone")
_FOLDED = {name.casefold(): name for name in FIELDS} | {"externalid": "id"}
_SEPARATORS = re.compile(r"[\s_-]+")
_NEEDED = ("id", "url")
_COMPARED = 200
"""Unknown names that are looked at for typing errors; a file may have a million."""
_GUESSES = (
    ("url", ("url", "link", "href", "uri", "src")),
    ("id", ("nummer", "number", "numéro", "uuid", "guid", "nr", "id", "key", "asset")),
    ("url", ("pfad", "path", "chemin", "datei", "file", "fichier", "bild", "image")),
    ("fileName", ("titel", "title", "titre", "titolo", "headline", "name", "caption")),
)
"""Words in a column's name that suggest a field, the surest first; only ever used to propose
``--map``."""


def field_of(column: str) -> str | None:
    """The field a column means by its name alone (any case, ``file_name``, ``external id``), or
    None for any other column."""
    name = visible(column)
    known = _FOLDED.get(_SEPARATORS.sub("", name).casefold())
    if known is None and name[: len(PREFIX)].casefold() == PREFIX and len(name) > len(PREFIX):
        return PREFIX + name[len(PREFIX) :].strip()
    return known


def full_name(name: str) -> str:
    """A field as a user names it: ``credit`` is short for ``metadata.credit``."""
    return field_of(name) or PREFIX + name.strip()


@dataclass(frozen=True, slots=True)
class Template:
    """A text with ``{column}`` places. ``parts`` are (literal text, column or None) pairs."""

    text: str
    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises ValueError for unbalanced braces, empty places and format specifications."""
        parts = []
        for literal, name, spec, conversion in string.Formatter().parse(text):
            if name == "" or spec or conversion:
                raise ValueError("a place is a column's name in braces, as in {headline}")
            parts.append((literal, name))
        return cls(text, tuple(parts))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it needs."""
        return tuple(name for _, name in self.parts if name is not None)

    def fill(self, values: Mapping[str, str]) -> str:
        """The finished text, or "" when every place is empty."""
        if not any(values.get(name) for name in self.columns):
            return ""
        return "".join(text + (values.get(name, "") if name else "") for text, name in self.parts)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How fields are filled beyond columns that bear their names. ``columns``: field -> column.
    ``templates``: field -> template, which wins over a column. ``constants``: field -> text for
    every row that has none of its own. ``writings``: field -> how its values are written.
    ``handles``: the metadata properties there are, to recognise a table's columns in any case."""

    columns: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    writings: Mapping[str, Writing] = field(default_factory=dict)
    handles: frozenset[str] = frozenset()

    def meant(self, column: str) -> str | None:
        """The field a table's column means by its name; ``METADATA.CREDIT`` is the property
        ``credit`` where there is one, and only one, of that name in any case."""
        name = field_of(column)
        handle = (name or "").removeprefix(PREFIX)
        if handle == name or handle in self.handles:
            return name
        alike = [each for each in self.handles if each.casefold() == handle.casefold()]
        return PREFIX + alike[0] if len(alike) == 1 else name

    @property
    def plain(self) -> bool:
        """Whether a cell is always the value of its field: no templates, no constants."""
        return not self.templates and not self.constants

    @classmethod
    def from_config(cls, mapping: Mapping[str, Json]) -> FieldMap:
        """Read the ``manifest:`` part of a config file. Raises ConfigError naming the key."""
        found = cls()
        for name, spec in mapping.items():
            found = found._with_spec(full_name(name), spec, f"manifest.{name}")
        return found

    def with_map(self, pairs: Iterable[str]) -> FieldMap:
        """Add ``--map field=column`` (or ``field={template}``). Raises UsageError."""
        found = self
        for pair in pairs:
            name, value = _split(pair, "--map", 'url="Bild-URL"')
            found = found._with_source(name, value, f"--map {pair}", UsageError)
        return found

    def with_set(self, pairs: Iterable[str]) -> FieldMap:
        """Add ``--set field=value``. Raises UsageError."""
        split = (_split(pair, "--set", "metadata.credit=Archiv") for pair in pairs)
        return replace(self, constants={**self.constants, **dict(split)})

    def _with_source(
        self, name: str, text: str, where: str, error: type[LdimportError] = ConfigError
    ) -> FieldMap:
        if "{" not in text:
            templates = {key: value for key, value in self.templates.items() if key != name}
            return replace(self._with("columns", name, text), templates=templates)
        try:
            return self._with("templates", name, Template.parse(text))
        except ValueError as cause:
            hint = 'write it like fileName: "{headline} ({year})"'
            raise error(f"{where}: {cause}", hint=hint, code="mapping") from cause

    def _with(self, part: str, name: str, value: Any) -> FieldMap:
        changed: dict[str, Any] = {part: {**getattr(self, part), name: value}}
        return replace(self, **changed)

    def _with_spec(self, name: str, spec: Json, where: str) -> FieldMap:
        if isinstance(spec, str):
            return self._with_source(name, spec, where)
        if not isinstance(spec, dict):
            hint = "for example: {column: Datum, date: '%d.%m.%Y'}"
            raise _mistake(f"{where} must be a column, a template or options", hint)
        found = self
        for key, value in spec.items():  # YAML may have made a number of a text
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise _mistake(f"{where}.{key} must be a text", "put it in quotes")
            found = found._with_option(name, key, str(value), where)
        return found

    def _with_option(self, name: str, key: str, value: str, where: str) -> FieldMap:
        if key in ("column", "value"):
            return self._with("columns" if key == "column" else "constants", name, value)
        if key == "template":
            return self._with_source(name, value, where)
        if key not in _OPTIONS:
            hint = did_you_mean(key, _OPTIONS, f"it may have {', '.join(_OPTIONS)}")
            raise _mistake(f"{where} has an unknown option “{key}”", hint)
        try:
            if key == "zone":
                ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            text = f"{where}.zone: there is no time zone “{value}”"
            raise _mistake(text, "name it as Europe/Zurich") from error
        written = replace(self.writings.get(name, Writing()), **{key: value})
        return self._with("writings", name, written)


def _mistake(message: str, hint: str) -> ConfigError:
    return ConfigError(message, hint=hint, code="mapping")


def _split(pair: str, option: str, example: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    if not name.strip() or not value:
        message, hint = f"{option} {pair}: it needs a field and a value", f"{option} {example}"
        raise UsageError(message, hint=f"for example: {hint}", code="mapping")
    return full_name(name), value


# -- a table's header ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """``names`` of all columns, made unique, each with its index; ``places``: field -> index of its
    column, in the columns' order; ``templated``: the same for columns that templates need;
    ``ignored``: unknown columns that nothing uses."""

    names: dict[str, int]
    places: dict[str, int]
    templated: dict[str, int]
    ignored: tuple[str, ...]


def layout(header: Sequence[str], mapping: FieldMap, file: str, line: int = 1) -> Layout:
    """Settle a table's columns. Raises ManifestError when a mapped column is missing, two columns
    feed one field, or nothing gives id or url."""
    header = [_cleaned(name) for name in header]
    names = _unique(header)
    places = {
        name: _find(names, column, f"{name} is mapped to", file)
        for name, column in mapping.columns.items()
    }
    settled = {*places, *mapping.templates}
    for index, column in enumerate(header):
        meant = mapping.meant(column)
        if meant in places and meant not in settled:
            first = header[places[meant]]
            message = f"{file}:{line}: the columns “{first}” and “{column}” are both {meant}"
            hint = f"rename one of them, or choose: --map {meant}={_quoted(first)}"
            raise ManifestError(message, hint=hint, code="duplicate-column")
        if meant is not None and meant not in settled:
            places[meant] = index
    templated = {
        column: _find(names, column, f"“{template.text}” needs", file)
        for template in mapping.templates.values()
        for column in template.columns
    }
    _need(names, places, mapping, file)
    used = {*places.values(), *templated.values()}
    unused = (name for name, index in names.items() if index not in used and name[0] != "_")
    ordered = dict(sorted(places.items(), key=itemgetter(1)))
    return Layout(names, ordered, templated, tuple(unused))


def ignored_text(names: Iterable[str], file: str) -> str:
    """The one notice about columns or keys that nothing uses."""
    shown = list(names)
    listed = ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
    folded = {known.casefold(): known for known in FIELDS}
    near = [(name, guess[0]) for name in shown[:_COMPARED]
            if (guess := get_close_matches(name.casefold(), folded, n=1, cutoff=0.8))]  # fmt: skip
    meant = "".join(
        f"; “{name}”{disguised(name)}: did you mean {folded[guess]}?" for name, guess in near[:3]
    )
    use = "" if near else f"; to use one: --map metadata.HANDLE={_quoted(shown[0])}"
    return f"{file}: not used: {listed}{meant}{use}"


def column_index(names: Iterable[str], column: str) -> int | None:
    """Where a column stands: by its exact name, else in any case; None if it is not there."""
    names = list(names)
    if column in names:
        return names.index(column)
    folded = [name.casefold() for name in names]
    wanted = _cleaned(column).casefold()
    return folded.index(wanted) if wanted in folded else None


def _find(names: Iterable[str], column: str, what: str, file: str) -> int:
    if (index := column_index(names, column)) is not None:
        return index
    near = get_close_matches(column, list(names), n=1)
    hint = f"did you mean “{near[0]}”?" if near else None
    message, facts = f"{file} has no column “{column}”; {what} it", {"columns": ", ".join(names)}
    raise ManifestError(message, hint=hint, code="no-column", facts=facts)


def _cleaned(name: str) -> str:
    """A column's name as it is seen, on one line."""
    return visible(name)


def _unique(names: Sequence[str]) -> dict[str, int]:
    """A second ``credit`` becomes ``credit (2)``, one without a name ``_4``: rows keep all."""
    seen: Counter[str] = Counter()
    result: dict[str, int] = {}
    for index, name in enumerate(names):
        unique = name = name or f"_{index + 1}"
        while unique in result:
            seen[name] += 1
            unique = f"{name} ({seen[name] + 1})"
        result[unique] = index
    return result


def _need(names: Mapping[str, int], places: dict[str, int], mapping: FieldMap, file: str) -> None:
    given = {*places, *mapping.templates, *mapping.constants}
    if not (missing := [name for name in _NEEDED if name not in given]):
        return
    message = f"{file} has no column for “{missing[0]}”"
    if len(names) == 1:
        message += ", only one column in all"
        hint = "a manifest is CSV, JSON, JSON Lines or YAML; name an unusual --delimiter"
    else:
        lacking = missing if "fileName" in given else [*missing, "fileName"]
        taken = set(places.values())
        free = [name for name, index in names.items() if index not in taken and name[0] != "_"]
        path = "-" if file == "stdin" else _quoted(file)
        hint = f"ldimport validate {path} {_proposal(lacking, free)}"
    facts = {"columns": ", ".join(names)}
    raise ManifestError(message, hint=hint, code="no-column", facts=facts)


def _proposal(missing: Sequence[str], columns: Sequence[str]) -> str:
    """``--map`` options that would do, as far as the columns' names tell."""
    free = {column: column.casefold() for column in columns}
    found: dict[str, str] = {}
    for name, words in _GUESSES:  # short words only at the end: there is an “id” in “Video”
        fitting = (column for word, (column, folded) in product(words, free.items())
                   if folded.endswith(word) or (len(word) > 2 and word in folded))  # fmt: skip
        if name in missing and name not in found and (column := next(fitting, None)):
            del free[column]
            found[name] = column
    shown = (f"{name}={_quoted(found[name]) if name in found else 'COLUMN'}" for name in missing)
    return " ".join(f"--map {each}" for each in shown)


def _quoted(text: str) -> str:
    if re.sub("[_./]", "", text).isalnum():
        return text
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'
