"""A table's header against the fields: which column feeds which, what is missing, what is not
used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import product
from operator import itemgetter

from ldimport.errors import ManifestError
from ldimport.manifest.mapping import FieldMap, Mistake, Template, mapping_error
from ldimport.manifest.names import FIELDS, PREFIX, Taken, field_of, full_name, quoted, take
from ldimport.mojibake import disguised, visible

__all__ = [
    "FIELDS",
    "PREFIX",
    "FieldMap",
    "Layout",
    "Template",
    "column_index",
    "field_of",
    "full_name",
    "ignored_text",
    "layout",
]

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


# -- a table's header ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """``names`` of all columns, made unique, each with its index; ``places``: field -> index of its
    column, in the columns' order; ``templated``: the same for columns that templates need;
    ``ignored``: unknown columns that nothing uses; ``taken``: those taken for properties."""

    names: dict[str, int]
    places: dict[str, int]
    templated: dict[str, int]
    ignored: tuple[str, ...]
    taken: Taken = field(default_factory=Taken)


def layout(header: Sequence[str], mapping: FieldMap, file: str, line: int = 1) -> Layout:
    """Settle a table's columns. Raises ManifestError when a mapped column is missing, two columns
    feed one field, or nothing gives id or url."""
    header = [_cleaned(name) for name in header]
    names = _unique(header)
    check_columns(names, mapping, file)
    places = {name: _place(names, column) for name, column in mapping.columns.items()}
    settled = {*places, *mapping.templates}
    for index, column in enumerate(header):
        meant = mapping.meant(column)
        if meant in places and meant not in settled:
            first = header[places[meant]]
            message = f"{file}:{line}: the columns “{first}” and “{column}” are both {meant}"
            hint = f"rename one of them, or choose: --map {meant}={quoted(first)}"
            raise ManifestError(message, hint=hint, code="duplicate-column")
        if meant is not None and meant not in settled:
            places[meant] = index
    templates = (each.columns for each in mapping.templates.values())
    templated = {column: _place(names, column) for each in templates for column in each}
    of_types = {_place(names, column) for column, _, _ in mapping.needed_by_types()}
    mine = {*places.values(), *of_types}
    free = [name for name, index in names.items() if index not in mine and name[0] != "_"]
    taken = taken_of(free, mapping, places)
    places |= {name: names[column] for name, column in taken.fields.items()}
    check_needed(names, [*places], mapping, file, free)
    used = {*places.values(), *templated.values(), *of_types}
    unused = (name for name, index in names.items() if index not in used and name[0] != "_")
    ordered = dict(sorted(places.items(), key=itemgetter(1)))
    return Layout(names, ordered, templated, tuple(unused), taken)


def taken_of(free: Iterable[str], mapping: FieldMap, given: Iterable[str]) -> Taken:
    """The columns among ``free`` that are taken for properties by their names. ``given`` are the
    fields that others feed."""
    if mapping.strict:
        return Taken()
    kinds = mapping.kinds(named="mediaType" in given)
    return take(free, mapping.known, kinds, {*given, *mapping.templates})


def check_columns(names: Iterable[str], mapping: FieldMap, file: str, *, sure: bool = True) -> None:
    """Every column that the mapping needs is there. Raises one ManifestError about all that are
    not; where these may not be all the ``names`` (``sure`` False), only about those that look like
    one of them."""
    names = list(names)
    lacking = {
        column: (told, where)
        for column, told, where in mapping.needed()
        if column_index(names, column) is None
    }
    if not lacking:
        return
    guesses = {column: get_close_matches(column, names, n=1) for column in lacking}
    lacking = {column: told for column, told in lacking.items() if sure or guesses[column]}
    if not lacking:
        return
    hints = {column: f"did you mean “{near[0]}”?" for column, near in guesses.items() if near}
    facts = {"columns": ", ".join(names)}
    if len(lacking) > 1:
        error = mapping_error([
            Mistake(where, f"there is no column “{column}”", hints.get(column, ""))
            for column, (_, where) in lacking.items()
        ])  # fmt: skip
        error.facts |= facts
        raise error
    ((column, (told, _)),) = lacking.items()
    message = f"{file} has no column “{column}”; {told} it"
    raise ManifestError(message, hint=hints.get(column), code="no-column", facts=facts)


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
    use = "" if near else f"; to use one: --map metadata.HANDLE={quoted(shown[0])}"
    return f"{file}: not used: {listed}{meant}{use}"


def column_index(names: Iterable[str], column: str) -> int | None:
    """Where a column stands: by its exact name, else in any case; None if it is not there."""
    names = list(names)
    if column in names:
        return names.index(column)
    folded = [name.casefold() for name in names]
    wanted = _cleaned(column).casefold()
    return folded.index(wanted) if wanted in folded else None


def _place(names: Iterable[str], column: str) -> int:
    """Of a column that is known to be there."""
    index = column_index(names, column)
    assert index is not None
    return index


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


def check_needed(
    names: Iterable[str],
    given: Iterable[str],
    mapping: FieldMap,
    file: str,
    free: Sequence[str],
    what: str = "column",
) -> None:
    """Something gives id and url, beside the fields ``given``. Raises a ManifestError that proposes
    columns among those that are ``free``."""
    given, names = {*given, *mapping.templates, *mapping.constants}, list(names)
    if not (missing := [name for name in _NEEDED if name not in given]):
        return
    message = f"{file} has no {what} for “{missing[0]}”"
    if len(names) == 1 and what == "column":
        message += ", only one column in all"
        hint = "a manifest is CSV, JSON, JSON Lines or YAML; name an unusual --delimiter"
    else:
        lacking = missing if "fileName" in given else [*missing, "fileName"]
        path = "-" if file == "stdin" else quoted(file)
        hint = f"ldimport validate {path} {_proposal(lacking, free)}"
    facts = {f"{what}s": ", ".join(names)}
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
    shown = (f"{name}={quoted(found[name]) if name in found else 'COLUMN'}" for name in missing)
    return " ".join(f"--map {each}" for each in shown)
