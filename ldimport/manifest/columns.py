"""A table's header against the field map: which cell is which field, and what is left over."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ldimport.errors import ManifestError
from ldimport.manifest.fields import FIELDS, FieldMap

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


@dataclass(frozen=True, slots=True)
class Layout:
    """``names`` of all columns, made unique; ``fields``: for each column the field it feeds, or
    "" when it is not used by its position alone; ``places``: field -> index of its column;
    ``ignored``: unknown columns that nothing uses."""

    names: tuple[str, ...]
    fields: tuple[str, ...]
    places: dict[str, int]
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
            raise ManifestError(
                f"{file}:{line}: the columns “{first}” and “{column}” are both {meant}",
                hint=f"rename one of them, or choose: --map {meant}={_quoted(first)}",
                code="duplicate-column",
            )
        if meant is not None and meant not in settled:
            places[meant] = index
    used = set(places.values())
    for template in mapping.templates.values():
        used |= {_find(names, each, f"“{template.text}” needs", file) for each in template.columns}
    _need(names, places, mapping, file)
    fields = {index: name for name, index in places.items()}
    unused = (name for index, name in enumerate(names) if index not in used)
    return Layout(
        names,
        tuple(fields.get(index, "") for index in range(len(names))),
        places,
        tuple(name for name in unused if not name.startswith("_")),
    )


def ignored_text(names: Iterable[str], file: str) -> str:
    """The one notice about columns or keys that nothing uses."""
    shown = list(names)
    listed = ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
    folded = {known.casefold(): known for known in FIELDS}
    near = [(name, guess[0]) for name in shown[:_COMPARED]
            if (guess := get_close_matches(name.casefold(), folded, n=1, cutoff=0.8))]  # fmt: skip
    meant = "".join(f"; “{name}”: did you mean {folded[guess]}?" for name, guess in near[:3])
    use = "" if near else f"; to use one: --map metadata.HANDLE={_quoted(shown[0])}"
    return f"{file}: not used: {listed}{meant}{use}"


def column_index(names: Sequence[str], column: str) -> int | None:
    """Where a column stands: by its exact name, else in any case; None if it is not there."""
    if column in names:
        return names.index(column)
    folded = [name.casefold() for name in names]
    wanted = _cleaned(column).casefold()
    return folded.index(wanted) if wanted in folded else None


def _find(names: Sequence[str], column: str, what: str, file: str) -> int:
    index = column_index(names, column)
    if index is not None:
        return index
    near = get_close_matches(column, names, n=1)
    raise ManifestError(
        f"{file} has no column “{column}”; {what} it",
        hint=f"did you mean “{near[0]}”?" if near else None,
        code="no-column",
        facts={"columns": ", ".join(names)},
    )


def _cleaned(name: str) -> str:
    """A column's name without byte order marks, and on one line."""
    return " ".join(name.replace("\ufeff", "").split())


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """A second ``credit`` becomes ``credit (2)``, one without a name ``_4``, so that rows keep all
    their cells."""
    seen: dict[str, int] = {}
    result = []
    for number, name in enumerate(names, 1):
        name = name or f"_{number}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(result)


def _need(names: Sequence[str], places: dict[str, int], mapping: FieldMap, file: str) -> None:
    given = {*places, *mapping.templates, *mapping.constants}
    missing = [name for name in _NEEDED if name not in given]
    if not missing:
        return
    message = f"{file} has no column for “{missing[0]}”"
    if len(names) == 1:
        message += ", only one column in all"
        hint = "a manifest is CSV, JSON, JSON Lines or YAML; name an unusual --delimiter"
    else:
        lacking = missing if "fileName" in given else [*missing, "fileName"]
        taken = places.values()
        free = [name for n, name in enumerate(names) if n not in taken and name[:1] != "_"]
        path = "-" if file == "stdin" else _quoted(file)
        hint = f"ldimport validate {path} {_proposal(lacking, free)}"
    facts = {"columns": ", ".join(names)}
    raise ManifestError(message, hint=hint, code="no-column", facts=facts)


def _proposal(missing: Sequence[str], columns: Sequence[str]) -> str:
    """``--map`` options that would do, as far as the columns' names tell."""
    free = list(columns)
    found: dict[str, str] = {}
    for name, words in _GUESSES:
        column = _suggested(free, words) if name in missing and name not in found else None
        if column is not None:
            free.remove(column)
            found[name] = column
    shown = (f"{name}={_quoted(found[name]) if name in found else 'COLUMN'}" for name in missing)
    return " ".join(f"--map {each}" for each in shown)


def _suggested(columns: Sequence[str], words: Sequence[str]) -> str | None:
    """Short words count only at the end of a name: there is an “id” in “Video”."""
    for word in words:
        for each in columns:
            name = each.casefold()
            if name.endswith(word) or (len(word) > 2 and word in name):
                return each
    return None


def _quoted(text: str) -> str:
    plain = text.replace("_", "").replace(".", "").replace("/", "").isalnum()
    if plain:
        return text
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'
