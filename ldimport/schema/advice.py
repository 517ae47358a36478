"""What is odd about a value but does not keep it from being stored: warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from ldimport.model import Json, Severity
from ldimport.mojibake import MANGLED, is_whole
from ldimport.schema.config import ProjectConfig
from ldimport.schema.dates import is_datetime, moment
from ldimport.schema.findings import Finding, cut, listed, proposed
from ldimport.schema.plugins import ValueShape
from ldimport.schema.properties import Property

Advise = Callable[[Json], Iterator[Finding]]

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def _warning(code: str, message: str, hint: str = "", value: str = "") -> Finding:
    return Finding(code, message, hint, Severity.WARNING, value=value)


def text_advice(field: str, text: str) -> Iterator[Finding]:
    """Letters that an encoding mangled or lost."""
    found = None if is_whole(text) else MANGLED.search(text)
    if found is None:
        return
    if found[0] == "\ufffd":
        yield _warning("replacement-character", f"{field}: a letter is lost (�): “{cut(text)}”",
                       "export it again as UTF-8", text)  # fmt: skip
    else:
        yield _warning("mojibake", f"{field}: “{cut(text)}” looks like UTF-8 read as Windows-1252",
                       "check the program that exported it, or --encoding", text)  # fmt: skip


def advice_for(found: Property, config: ProjectConfig) -> Sequence[Advise]:
    """The functions that look at values of one property."""
    return tuple(partial(advise, f"metadata.{found.handle}") for advise in _chosen(found, config))


def _chosen(found: Property, config: ProjectConfig) -> Iterator[Callable[..., Iterator[Finding]]]:
    most = found.number("maxLength")
    if found.shape is ValueShape.TEXT and most is not None:
        yield partial(_astral, most=int(most))
    ends = found.number("recommendedMinLength"), found.number("recommendedMaxLength")
    if found.shape is ValueShape.TEXT and any(ends):
        yield partial(_recommended, least=ends[0], most=ends[1])
    if found.choices is not None and found.plugin in ("li-text", "li-integer"):
        yield partial(_unlisted, choices=found.choices)
    wanted = [name for name, optional in (found.crops or {}).items() if not optional]
    if wanted:
        yield partial(_crops, wanted=wanted)
    match found.plugin:
        case "li-color":
            yield _colour
        case "li-datetime-validity":
            yield _validity
        case "li-metadata-translations" if config.locales is not None:
            yield partial(_reference, key="locale", known=config.locales)
        case "li-license-profile" if config.licences is not None:
            yield partial(_reference, key="handle", known=config.licences)


def _astral(field: str, value: Json, most: int) -> Iterator[Finding]:
    """JavaScript counts UTF-16 units, JSON Schema characters: they differ for emoji."""
    if not isinstance(value, str) or len(value) > most or value.isascii():
        return
    units = len(value.encode("utf-16-le", "surrogatepass")) // 2
    if units > most:
        text = f"{field} has {units:,} UTF-16 units, the limit is {most:,} of one or the other"
        yield _warning("maybe-too-long", text, "make it shorter, or take out emoji", value)


def _recommended(
    field: str, value: Json, least: float | None, most: float | None
) -> Iterator[Finding]:
    count = len(value) if isinstance(value, str) else None
    if count is not None and not (least or 0) <= count <= (count if most is None else most):
        wanted = f"{least or 0:,} to {most:,}" if most is not None else f"at least {least:,}"
        yield _warning("recommended-length",
                       f"{field} has {count:,} characters, recommended are {wanted}",
                       value=str(value))  # fmt: skip


def _unlisted(field: str, value: Json, choices: Sequence[Json]) -> Iterator[Finding]:
    if value not in choices:
        text = f"{field}: “{cut(str(value))}” is not among the values proposed"
        yield _warning("unlisted", text, proposed(str(value), map(str, choices)), str(value))


def _crops(field: str, value: Json, wanted: Sequence[str]) -> Iterator[Finding]:
    crops = value.get("crops") if isinstance(value, dict) else None
    given = [each.get("name") for each in crops if isinstance(each, dict)] if isinstance(
        crops, list) else []  # fmt: skip
    lacking = [name for name in wanted if name not in given]
    if lacking:
        yield _warning("missing-crop", f"{field} has no crop {listed(lacking)}",
                       "Livingdocs makes these at an upload, perhaps not at an import")  # fmt: skip


def _colour(field: str, value: Json) -> Iterator[Finding]:
    if isinstance(value, str) and value and not _HEX.fullmatch(value):
        yield _warning("unusual-colour", f"{field}: “{cut(value)}” is not a colour such as #8CBA51",
                       value=value)  # fmt: skip


def _validity(field: str, value: Json) -> Iterator[Finding]:
    if not isinstance(value, dict):
        return
    ends = [value.get("from"), value.get("to")]
    start, end = (moment(each) if isinstance(each, str) and is_datetime(each) else None
                  for each in ends)  # fmt: skip
    if start and end and start > end:
        yield _warning("validity", f"{field} ends before it begins")
    elif end and end < datetime.now(UTC):
        yield _warning("validity", f"{field} is over: the image is invalid as soon as it arrives")


def _reference(field: str, value: Json, key: str, known: Sequence[str]) -> Iterator[Finding]:
    name = value.get(key) if isinstance(value, dict) else None
    if isinstance(name, str) and name not in known:
        text = f"{field}: the project has no {key} “{cut(name)}”"
        yield _warning("unlisted", text, proposed(name, known), name)
