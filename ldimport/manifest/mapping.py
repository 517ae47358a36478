"""What the user maps, composes, sets and translates: from the config file and the command line.

In the config file, ``manifest:`` maps a field to where it comes from::

    manifest:
      id: Bildnummer                          # a column; in JSON also a path: rights.owner.name
      fileName: "{Titel} ({Jahr})"            # a template over columns
      metadata.source: {value: Archiv}        # for every row that has none
      metadata.taken: {column: Datum, date: DD.MM.YYYY}
      metadata.updated: {zone: Europe/Zurich} # of times that name none
      metadata.keywords: {separator: "|"}     # how a list is written in one cell
      values: {mediaType: {Foto: image}}      # by field: what stands there, and what is meant
      mediaTypes: {graphic: {credit: Zeichner}} # for rows of this media type
      root: assets.items                      # where the list stands in a JSON document
      strictColumns: true                     # no column is taken for a property by its name

A name that is no field of the API means a metadata property: ``credit`` is ``metadata.credit``.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ldimport.cells import Writing
from ldimport.errors import ConfigError, LdimportError, ManifestError, UsageError, did_you_mean
from ldimport.manifest.dateform import date_form
from ldimport.manifest.names import PREFIX, ProjectNames, field_of, full_name
from ldimport.model import Json

_OPTIONS = ("column", "value", "template", "separator", "date", "zone", "values")


class Mistake(NamedTuple):
    """Something wrong with a mapping itself: where it stands, what is wrong, what to do."""

    where: str
    text: str
    hint: str = ""


def mapping_error(found: list[Mistake]) -> ManifestError:
    """The one error about all of them."""
    first, *more = found
    if not more:
        return ManifestError(f"{first.where}: {first.text}", hint=first.hint, code="mapping")
    facts = {each.where: "; ".join(filter(None, (each.text, each.hint))) for each in found}
    hint = "correct them where they stand; no row was read"
    return ManifestError(f"{len(facts)} mistakes in the mapping", hint=hint, code="mapping",
                         facts=facts)  # fmt: skip


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
    ``handles``: the metadata properties there are, to recognise a table's columns in any case;
    ``known``: the same by media type, to take columns for them unless ``strict``. ``by_type``: what
    counts for rows of a media type alone; ``root``: the path of the list in a JSON document.
    ``origins``: field -> where the user named it; ``faults``: what is wrong in any project."""

    columns: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    writings: Mapping[str, Writing] = field(default_factory=dict)
    handles: frozenset[str] = frozenset()
    known: ProjectNames = field(default_factory=ProjectNames)
    strict: bool = False
    by_type: Mapping[str, FieldMap] = field(default_factory=dict)
    root: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Mistake, ...] = ()

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

    def needed(self) -> Iterator[tuple[str, str, str]]:
        """(column, what needs it, where that stands) of every column that has to be there."""
        for name, column in self.columns.items():
            yield column, f"{name} is mapped to", self.origins.get(name, name)
        for name, template in self.templates.items():
            told = f"“{template.text}” needs"
            yield from ((each, told, self.origins.get(name, name)) for each in template.columns)
        yield from self.needed_by_types()

    def needed_by_types(self) -> Iterator[tuple[str, str, str]]:
        """The same of what counts for rows of one media type alone."""
        for own in self.by_type.values():
            yield from own.needed()

    def kinds(self, *, named: bool) -> tuple[str, ...]:
        """The media types that rows may have; ``named``: they say themselves."""
        if named or "mediaType" in self.templates or not self.known.default:
            return tuple(self.known.media_types)
        return (self.constants.get("mediaType", self.known.default),)

    @property
    def common(self) -> frozenset[str]:
        """Fields that are filled for every row, of whatever media type."""
        return frozenset((*self.columns, *self.templates, *self.constants))

    @classmethod
    def from_config(cls, mapping: Mapping[str, Json], file: str = "") -> FieldMap:
        """Read the ``manifest:`` part of a config ``file``. Raises ConfigError naming the key."""
        return cls()._with_all(mapping, f"{file}: manifest" if file else "manifest")

    def with_map(self, pairs: Iterable[str]) -> FieldMap:
        """Add ``--map field=column`` (or ``field={template}``). Raises UsageError."""
        found = self
        for pair in pairs:
            name, value = _split(pair, "--map", 'url="Bild-URL"')
            found = found._with_source(name, value, f"--map {pair}", UsageError)
        return found

    def with_set(self, pairs: Iterable[str]) -> FieldMap:
        """Add ``--set field=value``. Raises UsageError."""
        found = self
        for pair in pairs:
            name, value = _split(pair, "--set", "metadata.credit=Archiv")
            found = found._with("constants", name, value, f"--set {pair}")
        return found

    def with_values(self, pairs: Iterable[str]) -> FieldMap:
        """Add ``--map-value field:from=to``. Raises UsageError."""
        found = self
        for pair in pairs:
            left, equals, right = pair.partition("=")
            name, colon, word = left.partition(":")
            if not (name.strip() and word.strip() and colon and equals):
                text = f"--map-value {pair}: it needs a field, what stands there, and what is meant"
                hint = "for example: --map-value mediaType:Foto=image"
                raise UsageError(text, hint=hint, code="mapping")
            where = f"--map-value {pair}"
            found = found._with_values(full_name(name), {word.strip(): right.strip()}, where)
        return found

    def _with_all(self, mapping: Mapping[str, Json], where: str) -> FieldMap:
        found = self
        for name, spec in mapping.items():
            place = f"{where}.{name}"
            if name in ("values", "mediaTypes"):
                if not isinstance(spec, dict):
                    raise _mistake(f"{place} must be a mapping", f"for a property: metadata.{name}")
                read = found._with_value_maps if name == "values" else found._with_types
                found = read(spec, place)
            elif name == "strictColumns":
                if not isinstance(spec, bool):
                    raise _mistake(f"{place} must be true or false", "for example: true")
                found = replace(found, strict=spec)
            elif name == "root":
                if not isinstance(spec, str) or not spec.strip():
                    raise _mistake(f"{place} must be a path of keys", "for example: assets.items")
                found = replace(found, root=spec.strip())
            else:
                found = found._with_spec(full_name(name), spec, place)
        return found

    def _with_types(self, types: Mapping[str, Json], where: str) -> FieldMap:
        found, origins = dict(self.by_type), dict(self.origins)
        for handle, mapping in types.items():
            place = origins[f"mediaTypes.{handle}"] = f"{where}.{handle}"
            if not isinstance(mapping, dict):
                raise _mistake(f"{place} must map fields to columns", "as manifest: does")
            for key in ("mediaTypes", "root", "strictColumns", "mediaType"):
                if key in mapping:
                    raise _mistake(f"{place}.{key} cannot stand there", "it goes above mediaTypes")
            found[handle] = found.get(handle, FieldMap())._with_all(mapping, place)
        return replace(self, by_type=found, origins=origins)

    def _with_value_maps(self, fields: Mapping[str, Json], where: str) -> FieldMap:
        found = self
        for name, words in fields.items():
            found = found._with_values(full_name(name), words, f"{where}.{name}")
        return found

    def _with_values(self, name: str, words: Json, where: str) -> FieldMap:
        """With what cells of a field mean; a text for nothing means an absent field."""
        if not isinstance(words, dict):
            raise _mistake(f"{where} must map what stands there to what is meant", "{Foto: image}")
        texts = {key.strip(): _word(value, f"{where}.{key}") for key, value in words.items()}
        if "" in texts:
            hint = f"write {name}: {{value: …}}"
            raise _mistake(f"{where}: an empty cell has no value to translate", hint)
        known = self.writings.get(name, Writing())
        return self._with("writings", name, replace(known, values={**known.values, **texts}), where)

    def _with_source(
        self, name: str, text: str, where: str, error: type[LdimportError] = ConfigError
    ) -> FieldMap:
        if "{" not in text:
            templates = {key: value for key, value in self.templates.items() if key != name}
            return replace(self._with("columns", name, text, where), templates=templates)
        try:
            return self._with("templates", name, Template.parse(text), where)
        except ValueError as cause:
            hint = 'write it like fileName: "{headline} ({year})"'
            raise error(f"{where}: {cause}", hint=hint, code="mapping") from cause

    def _with(self, part: str, name: str, value: Any, where: str) -> FieldMap:
        changed: dict[str, Any] = {part: {**getattr(self, part), name: value}}
        return replace(self, **changed, origins={**self.origins, name: where})

    def _with_spec(self, name: str, spec: Json, where: str) -> FieldMap:
        if isinstance(spec, str):
            return self._with_source(name, spec, where)
        if not isinstance(spec, dict):
            hint = "for example: {column: Datum, date: '%d.%m.%Y'}"
            raise _mistake(f"{where} must be a column, a template or options", hint)
        found = self
        for key, value in spec.items():  # YAML may have made a number of a text
            if key == "values":
                found = found._with_values(name, value, f"{where}.values")
                continue
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise _mistake(f"{where}.{key} must be a text", "put it in quotes")
            found = found._with_option(name, key, str(value), where)
        return found

    def _with_option(self, name: str, key: str, value: str, where: str) -> FieldMap:
        if key in ("column", "value"):
            return self._with("columns" if key == "column" else "constants", name, value, where)
        if key == "template":
            return self._with_source(name, value, where)
        if key not in _OPTIONS:
            hint = did_you_mean(key, _OPTIONS, f"it may have {', '.join(_OPTIONS)}")
            raise _mistake(f"{where} has an unknown option “{key}”", hint)
        changed: dict[str, Any] = {key: value}
        written = replace(self.writings.get(name, Writing()), **changed)
        try:
            if key == "zone":
                ZoneInfo(value)
            elif key == "date":
                written = replace(written, date=date_form(value))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            text = f"there is no time zone “{value}”"
            hint = "name it as Europe/Zurich"
            if key == "date":
                text = f"“{value}” is no date format: {error}"
                hint = "write it as DD.MM.YYYY, YYYY-MM-DD HH:mm or %d.%m.%y"
            fault = Mistake(f"{where}.{key}", text, hint)
            return replace(self, faults=(*self.faults, fault))
        return self._with("writings", name, written, where)


def _word(value: Json, where: str) -> str:
    """What a value means, as a text: YAML may have made something else of it."""
    if isinstance(value, dict | list):
        raise _mistake(f"{where} must be a text", "put it in quotes")
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mistake(message: str, hint: str) -> ConfigError:
    return ConfigError(message, hint=hint, code="mapping")


def _split(pair: str, option: str, example: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    if not name.strip() or not value:
        message, hint = f"{option} {pair}: it needs a field and a value", f"{option} {example}"
        raise UsageError(message, hint=f"for example: {hint}", code="mapping")
    return full_name(name), value
