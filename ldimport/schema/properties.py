"""Metadata properties of a media type: handle, plugin, and the config that limits values. Plugins
stand in ``plugins.toml``, JSON Schemas of their values in ``shapes.json``."""

import json
import re
import tomllib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum, auto
from functools import cache
from importlib import resources
from itertools import islice
from math import inf
from typing import Any, cast

from ldimport.errors import ConfigError, near
from ldimport.model import Json


class ValueShape(Enum):
    """What a value is, as far as writing it in one cell is concerned."""

    TEXT = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    DATE = auto()
    DATETIME = auto()
    TEXTS = auto()
    INTEGERS = auto()
    OBJECT = auto()  # JSON in a cell


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin. ``media``: its page allows it on media types; ``gone``: what became of it in
    newer releases."""

    handle: str
    shape: ValueShape
    media: bool = True
    gone: str = ""


def _data(name: str) -> str:
    return resources.files("ldimport.schema").joinpath(name).read_text("utf-8")


TABLES: Mapping[str, Any] = tomllib.loads(_data("plugins.toml"))
"""What ``plugins.toml`` holds."""
EXAMPLES: Mapping[str, Json] = TABLES["examples"]
"""By plugin: a text for a cell, or a structured value, that fits where nothing limits it."""
PLUGINS: Mapping[str, Plugin] = {
    handle: Plugin(handle, ValueShape[shape.upper()], media, TABLES["gone"].get(handle, ""))
    for table, media in {"on-media-types": True, "elsewhere": False}.items()
    for shape, handles in TABLES[table].items()
    for handle in handles
}
"""Every plugin with a page. A type that is not here is a project's own plugin."""


@cache
def shapes() -> Mapping[str, dict[str, Json]]:
    """The ``$defs`` of ``shapes.json``: a JSON Schema (2020-12) for each plugin's value."""
    found: dict[str, dict[str, Json]] = json.loads(_data("shapes.json"))["$defs"]
    return found


_MOST = 20


class Complaints:
    """Errors and warnings, each with the dotted path of its place."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}
        self.warnings: list[str] = []

    def wrong(self, path: str, text: str) -> None:
        """Something that makes the config useless."""
        self._errors.setdefault(path or "config", text)

    def odd(self, path: str, text: str) -> None:
        """Something worth knowing."""
        self.warnings.append(f"{path}: {text}")

    def objects(self, found: Json, path: str, wanted: str) -> Iterator[tuple[str, dict[str, Json]]]:
        """The objects of a list, each with its path, as they come, so that complaints stand in the
        order of the list; ``wanted``: what each has to be."""
        if found is not None and not isinstance(found, list):
            self.wrong(path, "must be a list")
        for n, each in enumerate(found if isinstance(found, list) else ()):
            if isinstance(each, dict):
                yield f"{path}.{n}", each
            else:
                self.wrong(f"{path}.{n}", f"must be an object with {wanted}")

    def handle(self, found: Json, path: str, pattern: str, taken: Container[str] = ()) -> str:
        """A handle, or "" when it is none; ``pattern`` only warns: old projects have others."""
        if not isinstance(found, str) or not found:
            self.wrong(path, "must be a text")
            return ""
        if not re.fullmatch(pattern, found):
            self.odd(path, f"“{found}” is no handle that Livingdocs would accept today")
        if found in taken:
            self.wrong(path, f"“{found}” is used twice")
        return found

    def typos(
        self, found: Mapping[str, Json], path: str, known: Sequence[str], *, wrong: bool = False
    ) -> bool:
        """Keys that look like a known one which is not there; whether there are any."""
        told = False
        for key in found:
            meant = get_close_matches(key, known, n=1, cutoff=0.8) if key not in known else []
            if meant and meant[0] not in found:
                tell = self.wrong if wrong else self.odd
                tell(f"{path}.{key}" if path else key, f"did you mean {meant[0]}?")
                told = True
        return told

    def raise_any(self, name: str) -> None:
        """Raise ConfigError when there are errors; its facts have the first twenty."""
        if not self._errors:
            return
        (path, text), *more = self._errors.items()
        message = f"{name}: {len(self._errors)} mistakes" if more else f"{name}: {path} {text}"
        shown = dict(islice(self._errors.items(), _MOST))
        if len(self._errors) > _MOST:
            shown["…"] = f"and {len(self._errors) - _MOST} more"
        hint, facts = "correct the project config, or download it again", shown if more else None
        raise ConfigError(message, hint=hint, code="project-config", facts=facts)


_HANDLE = r"[a-zA-Z][a-zA-Z0-9_-]{2,49}"


@dataclass(frozen=True, slots=True)
class Property:
    """One metadata property. ``config`` is the plugin's, as it was given and checked; a
    ``plugin`` that is not in ``PLUGINS`` is the project's own and is not validated. ``labels`` are
    its names for people, in every language."""

    handle: str
    plugin: str
    config: Mapping[str, Json] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    @property
    def shape(self) -> ValueShape | None:
        """What a value is; None for a project's own plugin."""
        known = PLUGINS.get(self.plugin)
        return known.shape if known else None

    @property
    def required(self) -> bool:
        """Whether every image needs a value."""
        return self.config.get("required") is True

    @property
    def choices(self) -> tuple[Json, ...] | None:
        """The values of ``dataProvider.items``; None where there is no such list."""
        return None if self.options is None else tuple(value for value, _ in self.options)

    @property
    def options(self) -> tuple[tuple[Json, tuple[str, ...]], ...] | None:
        """(value, its labels) of ``dataProvider.items``; None where there is no such list."""
        provider = self.config.get("dataProvider")
        items = provider.get("items") if isinstance(provider, dict) else None
        if not isinstance(items, list):
            return None
        objects = (each for each in items if isinstance(each, dict) and "value" in each)
        return tuple((each["value"], labels_of(each)) for each in objects)

    @property
    def crops(self) -> Mapping[str, bool] | None:
        """Names of ``namedCrops`` and whether each is optional; None where none are named."""
        named = self.config.get("namedCrops")
        if not isinstance(named, list):
            return None
        objects = (each for each in named if isinstance(each, dict))
        return {str(each.get("name")): each.get("isOptional") is True for each in objects}

    def number(self, key: str) -> int | float | None:
        """A limit of the config."""
        return cast("int | float | None", self.config.get(key))


def labels_of(found: Json) -> tuple[str, ...]:
    """The ``label`` of an object: a text, or one for each language."""
    label = found.get("label") if isinstance(found, dict) else None
    texts = label.values() if isinstance(label, dict) else (label,)
    return tuple(each for each in texts if isinstance(each, str) and each.strip())


def read_properties(found: Json, path: str, complaints: Complaints) -> dict[str, Property]:
    """The metadata list of a media type, by handle."""
    properties: dict[str, Property] = {}
    for place, each in complaints.objects(found, path, "handle and type"):
        complaints.typos(each, place, ("handle", "type", "config", "ui"))
        handle = complaints.handle(each.get("handle"), f"{place}.handle", _HANDLE, properties)
        plugin = _plugin(each.get("type"), f"{place}.type", complaints)
        config = each.get("config")
        if config is not None and not isinstance(config, dict):
            complaints.wrong(f"{place}.config", "must be an object")
        own = config if isinstance(config, dict) else {}
        labels = labels_of(each) + labels_of(each.get("ui")) + labels_of(own.get("ui"))
        checked = Property(handle, plugin, own, labels)
        _check_config(checked, f"{place}.config", complaints)
        properties[handle] = checked
    return properties


def _plugin(found: Json, path: str, complaints: Complaints) -> str:
    if not isinstance(found, str) or not found:
        complaints.wrong(path, "must be the name of a metadata plugin, such as li-text")
        return ""
    known = PLUGINS.get(found)
    if known is None:
        meant = near(found, (each for each in PLUGINS if PLUGINS[each].media), "property-types")
        guess = f"; did you mean {meant}?" if meant else ""
        text = f"“{found}” is not a plugin of Livingdocs: its values are not checked{guess}"
        complaints.odd(path, text)
    elif not known.media:
        complaints.wrong(path, f"“{found}” is not supported on media types")
    elif known.gone:
        complaints.odd(path, f"“{found}” was {known.gone}")
    return found


_LENGTHS = ("minLength", "maxLength", "recommendedMinLength", "recommendedMaxLength")
_EXPECTED: Mapping[str, tuple[set[type], float, str]] = {
    **dict.fromkeys(("required", "allowNewlines"), ({bool}, 0, "true or false")),
    **dict.fromkeys((*_LENGTHS, "maxItems", "min", "max"), ({int}, 0, "a whole number from 0")),
    **dict.fromkeys(("minValue", "maxValue"), ({int, float}, -inf, "a number")),
}
"""Types, the least value, and both in words."""


def _check_config(found: Property, path: str, complaints: Complaints) -> None:
    """Everything in a plugin's config that limits values has to make sense."""
    config = found.config
    complaints.typos(config, path, (*_EXPECTED, "dataProvider", "namedCrops"))
    for key, (kinds, lowest, wanted) in _EXPECTED.items():
        value: Any = config.get(key)
        if value is not None and not (type(value) in kinds and value >= lowest):
            complaints.wrong(f"{path}.{key}", f"must be {wanted}")
    for low, high in TABLES["ranges"].items():
        least, most = config.get(low), config.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            complaints.wrong(f"{path}.{low}", f"is larger than {high}: no value could fit")
    _check_provider(found, f"{path}.dataProvider", complaints)
    named = config.get("namedCrops")
    if named is not None and not _all_have(named, "name", str):
        complaints.wrong(f"{path}.namedCrops", "must be a list of objects with a name")
    try:
        re.compile(str(config.get("regex")))
    except (re.error, OverflowError, RecursionError) as error:
        complaints.odd(f"{path}.regex", f"cannot be checked here: {error}")


def _check_provider(found: Property, path: str, complaints: Complaints) -> None:
    provider = found.config.get("dataProvider")
    if provider is not None and not isinstance(provider, dict):
        complaints.wrong(path, "must be an object")
        return
    items = provider.get("items") if provider else None
    if items is not None:
        if not _all_have(items, "value", object):
            complaints.wrong(f"{path}.items", "must be a list of objects with label and value")
    elif provider and "dataSource" in provider:
        complaints.odd(path, "is a list that only the server knows: not checked here")
    elif found.plugin == "li-enum":
        where = path if provider is None else f"{path}.items"
        complaints.wrong(where, "is missing: li-enum needs a list of values")


def _all_have(found: Json, key: str, kind: type) -> bool:
    return isinstance(found, list) and all(
        isinstance(each, dict) and key in each and isinstance(each[key], kind) for each in found
    )
