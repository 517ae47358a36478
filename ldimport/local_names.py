"""Which file below a folder a relative url means. Disks and programs write one name in several
ways: Macs decompose its letters, Windows minds no case, a locale may know no UTF-8."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

from ldimport.causes import Cause
from ldimport.errors import Rejected

_MOST_LISTED = 100_000
"""Larger folders are not listed: there only the letters' other form is tried."""
_MOST_COMPARED = 5_000


def locate_below(root: Path, relative: str) -> Path:
    """The file that ``relative`` (a path with ``/``, perhaps percent-encoded) names below
    ``root``, symbolic links resolved. The name as it is written comes first, then its letters
    composed and decomposed, then in another case, where only one fits. Raises Rejected
    ``outside-folder`` or ``no-such-file``."""
    base = root.resolve()
    texts = tuple(dict.fromkeys((relative, unquote(relative))))
    for text in texts:
        if "\0" in text:
            raise Rejected(Cause.NO_SUCH_FILE, "no such file: the path holds a NUL character")
        for spelled in _spellings(text):
            if (path := _existing(base, spelled, relative)) is not None:
                return path
    for text in texts:
        found = _alike(base, text)
        if found is not None and (path := _existing(base, found, relative)) is not None:
            return path
    raise Rejected(Cause.NO_SUCH_FILE, f"no such file: {relative}")


def nearest(root: Path, relative: str) -> str | None:
    """The path of a file that was probably meant by one that is not there."""
    folder, _, name = unquote(relative).rpartition("/")
    place = _alike(root.resolve(), folder) if folder else ""
    if place is None:
        return None
    names = [each for all_ in _names(root.resolve() / place).values() for each in all_]
    folded = {_folded(each): _true(each) for each in names[:_MOST_COMPARED]}
    found = get_close_matches(_folded(name), folded, n=1, cutoff=0.6)
    return f"{folder}/{folded[found[0]]}".lstrip("/") if found else None


def _existing(base: Path, text: str, shown: str) -> Path | None:
    try:
        path = (base / text).resolve()
        outside = not path.is_relative_to(base)
        exists = path.exists()
    except UnicodeError:  # the locale has not these letters; another spelling may do
        return None
    except (OSError, RuntimeError) as error:  # name too long, a loop of links
        raise Rejected(Cause.NO_SUCH_FILE, f"no such file: {shown}") from error
    if outside:
        reason = f"{shown} leads out of the folder of the manifest"
        raise Rejected(Cause.OUTSIDE_FOLDER, reason)
    return path if exists else None


def _spellings(text: str) -> Iterator[str]:
    forms = [text]
    if not text.isascii():
        forms += [normalize("NFC", text), normalize("NFD", text)]
    for each in dict.fromkeys(forms):
        yield each
        if not text.isascii() and sys.getfilesystemencoding() != "utf-8":
            with suppress(UnicodeError):  # names on disk are UTF-8 wherever people share them
                yield os.fsdecode(each.encode())


def _alike(base: Path, text: str) -> str | None:
    """The path, as the disk writes it, that is this one but for case and the form of letters;
    None where there is none, or more than one."""
    at = base
    for part in text.split("/"):
        if part == "..":
            return None
        if part in ("", "."):
            continue
        names = _names(at).get(_folded(part), ())
        same = [each for each in names if normalize("NFC", _true(each)) == normalize("NFC", part)]
        if len(names) != 1 and len(same) != 1:
            return None
        at /= (same or names)[0]
    return str(at.relative_to(base))


def _names(folder: Path) -> dict[str, tuple[str, ...]]:
    """Folded name -> names in a folder; none where it cannot be listed, or is very large."""
    try:
        return _listed(str(folder), folder.stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=4)
def _listed(folder: str, _changed: int) -> dict[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= _MOST_LISTED:
                return {}
            found[_folded(_true(entry.name))].append(entry.name)
    return {key: tuple(names) for key, names in found.items()}


def _folded(name: str) -> str:
    return normalize("NFC", name.casefold())


def _true(name: str) -> str:
    """A name as people read it, whatever the locale makes of its bytes."""
    with suppress(UnicodeError):
        return os.fsencode(name).decode()
    return name
