"""Where the list of images stands in a JSON document that keeps it below a key: found by a walk
that holds no more than one value in memory, or named by the user (``assets.items``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from ldimport.errors import ManifestError, near
from ldimport.manifest.mapping import FieldMap
from ldimport.manifest.names import PREFIX, field_of, quoted
from ldimport.model import Json
from ldimport.mojibake import visible

if TYPE_CHECKING:
    from ldimport.manifest.json import Scanner, Span

_LEVELS = 8
Lists = dict[str, int]
"""Path -> how many objects the list there has."""


def collect(scanner: Scanner, path: str, found: Lists, levels: int = _LEVELS) -> None:
    """Step over the value that comes next, noting the lists of objects in it that stand below keys,
    not in other lists."""
    first = scanner.peek()
    if first not in (b"{", b"[") or scanner.holds_value() or not levels:
        span = scanner.value()
        with suppress(orjson.JSONDecodeError):
            _note(orjson.loads(span.raw), path, found, levels)
    elif first == b"[":
        objects = others = 0
        for span in scanner.elements():
            objects += span.raw[:1] == b"{"
            others += span.raw[:1] != b"{"
        if objects > others:
            found[path] = objects
    else:
        for key in scanner.members():
            collect(scanner, f"{path}.{key}", found, levels - 1)


def lists_in(value: Json) -> Lists:
    """The lists of objects below keys of a value in memory."""
    found: Lists = {}
    _note(value, "", found, _LEVELS)
    return found


def _note(value: Json, path: str, found: Lists, levels: int) -> None:
    """The same of a value in memory."""
    if isinstance(value, list):
        objects = sum(isinstance(each, dict) for each in value)
        if objects * 2 > len(value):
            found[path] = objects
    elif isinstance(value, dict) and levels:
        for key, each in value.items():
            _note(each, f"{path}.{key}", found, levels - 1)


def is_image(keys: Iterable[str], mapping: FieldMap) -> bool:
    """Whether an object with these keys is an image itself."""
    there = set(keys)
    fields = {field_of(key) for key in there}
    fields |= {name for name, path in mapping.columns.items() if path.partition(".")[0] in there}
    return {"id", "url"} <= fields


def chosen(found: Lists, root: str | None, name: str) -> str | None:
    """The one that is meant: the user's, else the only one; None where there is none. Raises
    ManifestError where nobody can tell."""
    listed = ", ".join(f"{path} ({count:,})" for path, count in found.items())
    if root is not None:
        if path := next((each for each in found if each.casefold() == root.casefold()), None):
            return path
        guess = near(root, found)
        has = f"it has: {listed}" if found else "there is no list of objects in it"
        hint = f"did you mean {guess}? {has}" if guess else has
        raise ManifestError(f"{name} has no list at “{root}”", hint=hint, code="no-root")
    if len(found) > 1:
        longest = max(found, key=lambda path: found[path])
        words = f"ldimport validate {quoted(name)} --root {quoted(longest)}"
        hint = f"{words}   if these are the images"
        text = f"{name} holds {len(found)} lists of objects: {listed}"
        raise ManifestError(text, hint=hint, code="no-root")
    return next(iter(found), None)


def below(scanner: Scanner, root: str, before: str = "") -> Iterator[Span]:
    """The elements of the list at ``root`` in the object that comes next; all else is stepped
    over."""
    for key in scanner.members():
        path, first = f"{before}{key}", scanner.peek()
        if path == root and first == b"[":
            yield from scanner.elements()
        elif first == b"{" and root.startswith(f"{path}."):
            yield from below(scanner, root, f"{path}.")
        else:
            collect(scanner, path, {})


def place_of(scanner: Scanner, path: str) -> tuple[int, int] | None:
    """Line and column of the value at ``path`` in the object that comes next, if it has one."""
    head, dot, rest = path.partition(".")
    for key in scanner.members():
        key, first, place = visible(key), scanner.peek(), scanner.place()
        if path in (key, field_of(key)):
            return place[0], place[1] + (first == b'"')
        if dot and head in (key, field_of(key)) and first == b"{":
            found = place_of(scanner, rest)
            if found is not None or path.startswith(PREFIX):
                return found or place
        else:
            scanner.value()
    return None
