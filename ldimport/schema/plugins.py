"""Livingdocs' metadata plugins: what each stores, whether a media type may have it.

They stand in ``plugins.toml``, JSON Schemas of their values in ``shapes.json``. See
``docs/livingdocs-api.md``, "Metadata plugins".
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from importlib import resources

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


_TABLES = tomllib.loads(_data("plugins.toml"))
EXAMPLES: Mapping[str, Json] = _TABLES["examples"]
"""By plugin: a text for a cell, or a structured value, that fits where nothing limits it."""
PLUGINS: Mapping[str, Plugin] = {
    handle: Plugin(handle, ValueShape[shape.upper()], media, _TABLES["gone"].get(handle, ""))
    for table, media in {"on-media-types": True, "elsewhere": False}.items()
    for shape, handles in _TABLES[table].items()
    for handle in handles
}
"""Every plugin with a page. A type that is not here is a project's own plugin."""


@cache
def shapes() -> Mapping[str, dict[str, Json]]:
    """The ``$defs`` of ``shapes.json``: a JSON Schema (2020-12) for each plugin's value."""
    found: dict[str, dict[str, Json]] = json.loads(_data("shapes.json"))["$defs"]
    return found
