"""What a column is called and which field it means; which metadata properties there are, and the
columns that are taken for them by their names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from unicodedata import category, normalize

from ldimport.mojibake import visible

FIELDS = ("id", "url", "fileName", "mediaType", "metadata")
"""The fields of an entry, as the API names them; ``metadata.<handle>`` beside them."""
PREFIX = "metadata."
_FOLDED = {name.casefold(): name for name in FIELDS} | {"externalid": "id"}
_SEPARATORS = re.compile(r"[\s_-]+")


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


def folded(name: str) -> str:
    """A name without case, accents, blanks, underscores and hyphens: ``Bild_Légende``."""
    parts = normalize("NFKD", _SEPARATORS.sub("", name).casefold())
    return "".join(sign for sign in parts if category(sign) != "Mn")


def quoted(text: str) -> str:
    """A text as one word of a shell's command line."""
    if re.sub("[_./]", "", text).isalnum():
        return text
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """The metadata properties of the project: by media type, by handle, the names that each has
    (its labels). ``default`` is the media type of rows that name none; ``kinds``: by folded label,
    the media type."""

    media_types: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    default: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def handles(self) -> frozenset[str]:
        """Of all media types."""
        return frozenset[str]().union(*self.media_types.values())

    def named(self, kinds: Iterable[str]) -> dict[str, dict[str, str]]:
        """By folded name, of these media types: handle -> the media type that has it; a name that
        is some property's handle means nothing else."""
        by_handle: dict[str, dict[str, str]] = {}
        by_label: dict[str, dict[str, str]] = {}
        for kind in kinds:
            for handle, labels in self.media_types.get(kind, {}).items():
                by_handle.setdefault(folded(handle), {}).setdefault(handle, kind)
                for label in filter(None, map(folded, labels)):
                    by_label.setdefault(label, {}).setdefault(handle, kind)
        return by_label | by_handle


@dataclass(frozen=True, slots=True)
class Taken:
    """Columns taken for properties: ``fields`` are field -> column; ``unclear`` says of others why
    they are not."""

    fields: Mapping[str, str] = field(default_factory=dict)
    unclear: tuple[str, ...] = ()

    def text(self, file: str) -> str:
        """The one line about them."""
        shown = (f"{column} as {name.removeprefix(PREFIX)}"
                 if folded(column) != folded(name.removeprefix(PREFIX)) else column
                 for name, column in self.fields.items())  # fmt: skip
        return f"{file}: columns taken: {', '.join(shown)}"


def take(
    columns: Iterable[str], known: ProjectNames, kinds: Iterable[str], settled: Iterable[str]
) -> Taken:
    """Which of these columns, which name no field, are properties of these media types by handle or
    label. Not those that are ``settled``; what may mean two things is not guessed."""
    named, given = known.named(kinds), set(settled)
    found: dict[str, list[str]] = {}
    unclear = []
    for column in columns:
        meant = named.get(folded(column), {})
        if len(meant) > 1:
            several = " and ".join(f"{handle} ({kind})" for handle, kind in meant.items())
            way = f"--map {next(iter(meant))}={quoted(column)}"
            unclear.append(f"“{column}” is not taken, it may be {several}; choose: {way}")
        for handle in meant if len(meant) == 1 else ():
            if PREFIX + handle not in given:
                found.setdefault(PREFIX + handle, []).append(column)
    for name, several_ in found.items():
        if len(several_) > 1:
            listed = " and ".join(f"“{each}”" for each in several_)
            way = f"--map {name.removeprefix(PREFIX)}={quoted(several_[0])}"
            unclear.append(f"{listed} may both be {name}, none is taken; choose: {way}")
    sure = {name: each[0] for name, each in found.items() if len(each) == 1}
    return Taken(sure, tuple(unclear))
