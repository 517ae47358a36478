"""A cell for each metadata property that its media type's check has nothing to say about."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ldimport.model import Json
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.plugins import EXAMPLES
from ldimport.schema.properties import Property
from ldimport.schema.values import ValueCheck


def examples(config: ProjectConfig, kind: MediaType) -> dict[str, str]:
    """By handle: the cell; "" where nothing fits what the config asks for, or where only the
    project knows."""
    found = {}
    for handle, each in kind.properties.items():
        check = ValueCheck(each, config)
        fitting = (cell for cell in _candidates(each) if check.accepts(cell))
        found[handle] = next(fitting, "")
    return found


def _candidates(found: Property) -> Iterator[str]:
    """Cells that may do, the nicest first."""
    if found.plugin in ("li-string-list", "li-numeric-list"):
        for items in _lists(found):
            yield "|".join(map(str, items))
            yield json.dumps(items, ensure_ascii=False)
        return
    yield from map(str, found.choices or ())
    if found.plugin in ("li-integer", "li-system-integer"):
        limits = (found.number("minValue"), found.number("maxValue"))
        yield from (str(each) for each in (1, *limits) if each is not None)
    elif isinstance(text := EXAMPLES.get(found.plugin), str):
        yield from _fitted(text, found)
    else:
        for value in _objects(found):
            yield json.dumps(value, ensure_ascii=False)


def _fitted(text: str, found: Property) -> Iterator[str]:
    """The text, as long as the config wants it."""
    for key in ("recommendedMinLength", "minLength"):
        least = int(found.number(key) or 0)
        most = int(found.number(key.replace("Min", "Max").replace("min", "max")) or 0)
        yield (f"{text} " * (least // (len(text) + 1) + 1)).strip()[: most or None]
        yield text.ljust(least, "x")[: most or None]


def _lists(found: Property) -> Iterator[list[Json]]:
    most = int(found.number("maxItems") or 2)
    usual: list[Json] = [1, 2] if found.plugin == "li-numeric-list" else ["one", "two"]
    tried: list[list[Json]] = [list(found.choices or usual), [1], ["a"]]
    for items in tried:
        yield items[: min(most, 2)]


def _objects(found: Property) -> Iterator[Json]:
    if found.plugin in ("li-document-references", "li-reference-list"):
        count = max(1, int(found.number("min") or 1))
        yield {"$ref": "documents", "references": [{"id": str(n + 42)} for n in range(count)]}
        return
    value = EXAMPLES.get(found.plugin)
    names = list(found.crops or ()) or ["main"]
    area = {"x": 0, "y": 0, "width": 1600, "height": 900}
    crops: Json = [{"name": name, **area} for name in names]
    if found.plugin in ("li-named-crops", "li-image"):
        yield {**(value if isinstance(value, dict) else {}), "crops": crops}
    if value is not None:
        yield value
