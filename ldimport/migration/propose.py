"""A mapping proposed for somebody else's manifest: columns by what they are called and hold, values
by what the project calls them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import islice
from pathlib import Path

from ldimport.cells import Writing
from ldimport.manifest import ReadOptions, open_manifest
from ldimport.manifest.fields import FieldMap
from ldimport.manifest.names import FIELDS, PREFIX, ProjectNames, field_of, folded, take
from ldimport.model import Json
from ldimport.schema.coerce import coercion
from ldimport.schema.config import ProjectConfig
from ldimport.schema.dates import fitting
from ldimport.schema.findings import BadValue, cut
from ldimport.schema.options import Options, scalar_text
from ldimport.schema.properties import Property, ValueShape
from ldimport.schema.words import Words

ROWS = 5_000
"""Rows that are looked at."""
_MOST_VALUES = 500
_FEW = 30
"""A column of kinds or options has no more different values."""
_LOCATION = re.compile(r"(?i)https?://\S+|[^|;]+\.(?:jpe?g|png|gif|svg|tiff?|webp)")


@cache
def _words() -> Mapping[str, Mapping[str, list[str]]]:
    text = resources.files("ldimport.migration").joinpath("words.toml").read_text("utf-8")
    return tomllib.loads(text)


@dataclass(slots=True)
class SeenColumn:
    """What a column holds: how many rows have a value, and the different ones, as texts."""

    filled: int = 0
    values: dict[str, None] = field(default_factory=dict)
    whole: bool = True  # ``values`` are all of them

    def add(self, text: str) -> None:
        """One cell that is not empty."""
        self.filled += 1
        if len(self.values) < _MOST_VALUES:
            self.values[text] = None
        elif text not in self.values:
            self.whole = False

    @property
    def differs(self) -> bool:
        """Whether no two rows have the same, as far as was looked."""
        return not self.whole or len(self.values) == self.filled

    @property
    def is_location(self) -> bool:
        """Whether most values are addresses or paths of images."""
        fits = sum(_LOCATION.fullmatch(each.strip()) is not None for each in self.values)
        return fits * 2 > len(self.values)


@dataclass(slots=True)
class Proposal:
    """``columns``: field -> column; ``dates``: field -> format; ``values``: field -> what stands
    there -> what is meant. ``unsure``: field -> why a person has to look; ``open_values``: field ->
    values that nothing was found for; ``unused`` columns, ``missing`` required fields;
    ``relative``: urls are paths."""

    columns: dict[str, str] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    unsure: dict[str, str] = field(default_factory=dict)
    open_values: dict[str, list[str]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    relative: bool = False


def survey(path: Path, root: str | None = None) -> dict[str, SeenColumn]:
    """The columns of a manifest, whatever they are called; of objects, paths of keys. Raises as
    ``open_manifest`` does."""
    found: dict[str, SeenColumn] = {}
    anything = FieldMap(constants={"id": "-", "url": "-"}, root=root)
    with open_manifest([path], ReadOptions(columns=anything)) as manifest:
        for name in manifest.files[0].columns:
            found[name] = SeenColumn()
        for entry in islice(manifest.entries(), ROWS):
            for name, text in _texts(entry.original):
                column = found.setdefault(name, SeenColumn())
                if text.strip():
                    column.add(text)
    return {name: each for name, each in found.items() if not name.startswith("_")}


def _texts(row: Mapping[str, Json], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in row.items():
        if isinstance(value, dict):
            yield from _texts(value, f"{before}{key}.")
        elif isinstance(value, list):
            for each in value:
                if (text := scalar_text(each)) is not None:
                    yield f"{before}{key}", text
        else:
            yield f"{before}{key}", scalar_text(value) or ""


def propose(columns: Mapping[str, SeenColumn], config: ProjectConfig) -> Proposal:
    """The mapping of these columns to what the project has."""
    free = {name: each for name, each in columns.items() if each.filled}
    found = Proposal()
    for name in list(free):
        meant = field_of(name)
        if meant is not None and meant not in found.columns:
            found.columns[meant] = name
            del free[name]
    _own_fields(free, found)
    _kinds(free, found, config)
    _properties(free, found, config)
    _title(found, columns)
    for name, column in found.columns.items():
        if name.startswith(PREFIX) and column in columns:
            _values(found, name, columns[column], config)
    found.unused = [name for name in columns if name not in {*found.columns.values()}]
    filled = {*found.columns}
    found.missing = [each for each in ("id", "url", "fileName") if each not in filled]
    required = {handle for kind in config.media_types.values()
                for handle, each in kind.properties.items() if each.required}  # fmt: skip
    found.missing += sorted(PREFIX + each for each in required if PREFIX + each not in filled
                            and each != "title")  # fmt: skip
    order = {name: number for number, name in enumerate(FIELDS)}
    found.columns = dict(sorted(found.columns.items(), key=lambda each: order.get(each[0], 9)))
    if (url := found.columns.get("url", "")) in columns:
        some = next(iter(columns[url].values), "")
        found.relative = not some.strip().casefold().startswith(("http:", "https:"))
    return found


def _own_fields(free: dict[str, SeenColumn], found: Proposal) -> None:
    """url by what stands in it, id by its name, both checked by their values."""
    if "url" not in found.columns:
        fits = [name for name, each in free.items() if each.is_location]
        if column := _called("url", fits) or next(iter(fits), None) or _called("url", free):
            found.columns["url"] = column
            del free[column]
    if "id" not in found.columns:
        unique = [name for name, each in free.items() if each.differs]
        column = _called("id", unique) or _called("id", free)
        if column is None and (column := next(iter(unique), None)):
            found.unsure["id"] = "the first column without a value twice"
        if column:
            found.columns["id"] = column
            del free[column]
    if "fileName" not in found.columns and (column := _called("fileName", free)):
        found.columns["fileName"] = column
        del free[column]


def _called(name: str, columns: Iterable[str]) -> str | None:
    """The column whose name is a word for this field, the likeliest word first."""
    by_name = {folded(each.rpartition(".")[2]): each for each in columns}
    for word in _words()["fields"][name]:
        if word in by_name:
            return by_name[word]
    for word in (each for each in _words()["fields"][name] if len(each) > 3):
        if near := next((each for key, each in by_name.items() if word in key), None):
            return near
    return None


def _kinds(free: dict[str, SeenColumn], found: Proposal, config: ProjectConfig) -> None:
    """The column of media types, known by its values."""
    words = Words(config, {})
    given = found.columns.get("mediaType")
    names = [given] if given else [name for name, each in free.items() if each.whole]
    for name in sorted(names, key=lambda each: _called("mediaType", [each]) is None):
        seen = free.get(name)
        if given or seen is None or len(seen.values) > _FEW:
            continue
        meant = {value: _kind(value, words, config) for value in seen.values}
        if sum(each is not None for each in meant.values()) * 2 > len(meant):
            found.columns["mediaType"] = name
            del free[name]
            found.values["mediaType"] = {
                value: kind for value, kind in meant.items()
                if kind and words.kind(value) not in config.media_types
            }  # fmt: skip
            found.open_values["mediaType"] = [value for value, kind in meant.items() if not kind]
            return


def _kind(value: str, words: Words, config: ProjectConfig) -> str | None:
    """The media type that a value means: by handle or label, else by a word for it."""
    if (kind := words.kind(value)) in config.media_types:
        return kind
    wanted = folded(value)
    for known in _words()["kinds"].values():
        if wanted in known:
            fits = [handle for handle, each in config.media_types.items()
                    if {folded(handle), *map(folded, each.labels)} & {*known}]  # fmt: skip
            return fits[0] if len(fits) == 1 else None
    return None


def _properties(free: dict[str, SeenColumn], found: Proposal, config: ProjectConfig) -> None:
    """Properties by handle or label, then by words for the same thing."""
    kinds = {kind: {handle: each.labels for handle, each in one.properties.items()}
             for kind, one in config.media_types.items()}  # fmt: skip
    last = {name.rpartition(".")[2]: name for name in free}
    taken = take(last, ProjectNames(kinds), kinds, found.columns)
    for name, column in taken.fields.items():
        found.columns[name] = last[column]
        free.pop(last[column], None)
    for column in list(free):
        for things in _words()["things"].values():
            if folded(column.rpartition(".")[2]) not in things:
                continue
            fits = {handle for own in kinds.values() for handle, labels in own.items()
                    if {folded(handle), *map(folded, labels)} & {*things}}  # fmt: skip
            open_ = [each for each in fits if PREFIX + each not in found.columns]
            if len(open_) == 1:
                found.columns[PREFIX + open_[0]] = column
                found.unsure[PREFIX + open_[0]] = "by meaning"
                del free[column]
                break


def _title(found: Proposal, columns: Collection[str]) -> None:
    """Every image needs a fileName: the caption's or headline's column, else the id's."""
    if "fileName" in found.columns:
        return
    likely = ("title", "headline", "caption", "description", "id")
    names = [PREFIX + each if each != "id" else each for each in likely]
    column = next((found.columns[each] for each in names if each in found.columns), None)
    column = column or next(
        (each for each in columns if folded(each) in _words()["things"]["caption"]), None
    )
    if column:
        found.columns["fileName"] = column
        found.unsure["fileName"] = "the title: no column seems to be one"


def _values(found: Proposal, name: str, seen: SeenColumn, config: ProjectConfig) -> None:
    """Dates and options of a property, as the column writes them."""
    handle = name.removeprefix(PREFIX)
    properties = [own.properties[handle] for own in config.media_types.values()
                  if handle in own.properties]  # fmt: skip
    for one in properties[:1]:
        if one.shape is ValueShape.DATE:
            _date(found, name, one, seen)
        if one.options is not None:
            options = Options(one.options)
            texts = _items(one, seen) if one.shape is ValueShape.TEXTS else [*seen.values]
            unknown = [each for each in texts if options.find(each) is None]
            if len(unknown) <= _FEW:
                found.open_values[name] = unknown


def _items(one: Property, seen: SeenColumn) -> list[str]:
    read = coercion(one, Writing())
    items: dict[str, None] = {}
    for text in seen.values:
        try:
            value = read(text)
        except BadValue:
            continue
        items |= dict.fromkeys(map(str, value if isinstance(value, list) else [value]))
    return [*items]


def _date(found: Proposal, name: str, one: Property, seen: SeenColumn) -> None:
    """The format that reads every value that is not read by itself."""
    read, hard = coercion(one, Writing()), []
    for text in seen.values:
        try:
            read(text)
        except BadValue:
            hard.append(text.strip())
    forms = [{*fitting(text)} for text in hard]
    first = next(iter(hard), "")
    common = [form for form in fitting(first) if all(form in each for each in forms)]
    if common:
        found.dates[name] = common[0]
        if len(common) > 1:
            found.unsure[name] = f"“{cut(first)}” may also be {common[1]}"
    elif hard:
        found.open_values[name] = hard[:3]
