"""The findings of a check on the screen: carets for a few, a table by kind for many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli.output.screen import ACCENT, BAD, GOOD, QUIET, WAIT, Screen
from ldimport.cli.output.table import Column, table
from ldimport.cli.output.text import cells, clean, counted, cut, cut_left, duration, number
from ldimport.manifest import encoding_name
from ldimport.model import Place, Problem, Severity

if TYPE_CHECKING:
    from ldimport.manifest import Detected, Manifest
    from ldimport.migration.validate import FindingGroup, Validation
    from ldimport.schema.config import ProjectConfig

MOST_WITH_CARET = 10
MOST_KINDS = 12
MOST_LINES = 50


def head(screen: Screen, manifest: Manifest, config: ProjectConfig) -> None:
    """What was read and how, and what it is checked against: a wrong guess must be visible."""
    left = len("checked against")
    for file in manifest.files[:3]:
        name = manifest.name if len(manifest.files) == 1 else file.path
        screen.line((f"{name:<{left}}", ACCENT), f"  {detected_text(file.detected)}", indent=2)
    if len(manifest.files) > 3:
        screen.line(f"and {counted(len(manifest.files) - 3, 'more file')}")
    screen.line(f"checked against  {config_text(config)}", indent=left + 2)
    screen.blank()


def detected_text(detected: Detected) -> str:
    """``CSV · UTF-8 · “;” · 9 columns``."""
    parts = [str(detected.format).upper()]
    parts.append(encoding_name(detected.encoding))
    if detected.delimiter:
        parts.append("tab" if detected.delimiter == "\t" else f"“{detected.delimiter}”")
    if detected.columns:
        parts.append(counted(detected.columns, "column"))
    return " · ".join(parts)


def config_text(config: ProjectConfig) -> str:
    """Which project config, and its media types."""
    kinds = ", ".join(list(config.media_types)[:6])
    more = ", …" if len(config.media_types) > 6 else ""
    name = (
        "the default media type"
        if config.is_default
        else (_near(config.origin) or "project config")
    )
    revision = f" (revision {config.revision})" if config.revision is not None else ""
    if config.is_default:
        return f"{name} “{kinds}”; --project-config names your own"
    return f"{name}{revision} · media types {kinds}{more}"


def _near(path: str) -> str:
    """A path from the working folder, where it is below it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def read_lines(manifest: Manifest) -> list[str]:
    """How each file was read, for logs: ``archive.csv: CSV · Windows-1252 · “;” · 9 columns``."""
    shown = [f"{file.path}: {detected_text(file.detected)}" for file in manifest.files[:3]]
    more = len(manifest.files) - len(shown)
    return [*shown, f"and {counted(more, 'more file')}"] if more else shown


def notices(screen: Screen, found: Validation) -> None:
    """What is worth a line and about no row alone."""
    for notice in found.notices:
        screen.line(("!", WAIT), f" {notice.text}", indent=2)


def findings(screen: Screen, manifest: Manifest, found: Validation, *, warnings: bool) -> None:
    """Problems on a terminal: with source line and caret up to ten, by kind beyond."""
    shown = [each for each in found.problems if warnings or each.severity is Severity.ERROR]
    kinds = [kind for kind in found.kinds if warnings or kind.severity is Severity.ERROR]
    many = sum(kind.rows for kind in kinds)
    if many <= MOST_WITH_CARET and len(shown) >= many:
        for each in shown:
            _with_caret(screen, manifest, each)
            screen.blank()
    elif kinds:
        by_kind(screen, kinds, most=len(kinds) if warnings else MOST_KINDS)
        screen.blank()
    at_publishing(screen, kinds)
    if not warnings and found.warnings:
        _warnings_left_out(screen, found)


def at_publishing(screen: Screen, kinds: Sequence[FindingGroup]) -> None:
    """Which of the findings Livingdocs would let in, and object to when an image is published."""
    codes = ", ".join(dict.fromkeys(kind.code for kind in kinds if kind.publishing))
    if codes:
        errors = any(kind.publishing and kind.severity is Severity.ERROR for kind in kinds)
        way = "; --lenient makes warnings of them" if errors else ""
        text = f" Livingdocs checks these only at publishing: {codes}{way}"
        screen.line(("·", QUIET), text, indent=2)
        screen.blank()


def identity(screen: Screen, found: Validation) -> None:
    """What may make an archive arrive twice: always worth its line before anything is sent."""
    for kind in found.kinds:
        if kind.code in ("new-system-name", "other-system-name"):
            rows = f", and {number(kind.rows - 1)} more" if kind.rows > 1 else ""
            screen.line(("!", WAIT), f" {kind.message}{rows}", indent=2)
            screen.line("    ", kind.hint, indent=4)


def lines(screen: Screen, found: Validation, *, warnings: bool) -> None:
    """Problems where no terminal is: one a line, to be searched; then by kind what is left."""
    shown = [each for each in found.problems if warnings or each.severity is Severity.ERROR]
    for each in shown[:MOST_LINES]:
        screen.line(problem_line(each))
    kinds = [kind for kind in found.kinds if warnings or kind.severity is Severity.ERROR]
    many = sum(kind.rows for kind in kinds)
    if many > min(len(shown), MOST_LINES):
        screen.line(f"and {number(many - min(len(shown), MOST_LINES))} more; all of them by kind:")
        by_kind(screen, kinds, most=MOST_LINES)
    at_publishing(screen, kinds)
    if not warnings and found.warnings:
        _warnings_left_out(screen, found)


def problem_line(problem: Problem) -> str:
    """``file:line:col: severity[code] message (hint: …)``."""
    hint = f" (hint: {problem.hint})" if problem.hint else ""
    return f"{pointer(problem.place)}: {problem.severity}[{problem.code}] {problem.message}{hint}"


def pointer(place: Place, *, short: bool = False) -> str:
    """``file:line:column`` as editors and CI systems read it; unknown parts are left out.
    ``short``: without the file's folder."""
    file = place.file or "manifest"
    parts = [file.replace("\\", "/").rpartition("/")[2] if short else file]
    if place.line:
        parts.append(str(place.line))
        if place.column:
            parts.append(str(place.column))
    return ":".join(parts)


def _warnings_left_out(screen: Screen, found: Validation) -> None:
    kinds = [kind for kind in found.kinds if kind.severity is not Severity.ERROR]
    first = max(kinds, key=lambda kind: kind.rows)
    sort = f" of {counted(len(kinds), 'kind')}" if len(kinds) > 1 else ""
    share = f"{number(first.rows)} " if len(kinds) > 1 else ""
    text = f"{counted(found.warnings, 'warning')}{sort}: {share}{first.code}"
    screen.line(("!", WAIT), f" {text}; validate --warnings shows them", indent=2)
    screen.blank()


KINDS = (
    Column("ROWS", right=True),
    Column("PROBLEM"),
    Column("FIELD", drop=1),
    Column("FIRST AT", drop=2),
    Column("EXAMPLE", shrink=1, drop=3),
)


def by_kind(screen: Screen, kinds: Sequence[FindingGroup], most: int = MOST_KINDS) -> None:
    """One row for each problem and field, the most frequent first."""
    ordered = sorted(kinds, key=lambda kind: -kind.rows)
    rows = [
        (
            number(kind.rows),
            kind.code,
            kind.field,
            pointer(kind.first, short=screen.width is not None),
            example(kind),
        )
        for kind in ordered[:most]
    ]
    table(screen, KINDS, rows)
    rest = ordered[most:]
    if rest:
        hit = sum(kind.rows for kind in rest)
        screen.line(f"and {number(len(rest))} more kinds ({counted(hit, 'row')})")


_TOLD_BY_MESSAGE = ("too-long", "too-short", "too-many", "too-few", "duplicate-id", "url-userinfo")


def example(kind: FindingGroup) -> str:
    """The first value of its kind; what was said about it, where that says more."""
    if kind.example and kind.code not in _TOLD_BY_MESSAGE:
        return kind.example
    if kind.code == "required":
        return "(empty)"
    return kind.message.removeprefix(f"{kind.field} ").removeprefix("has ")


def verdict(screen: Screen, found: Validation, seconds: float) -> None:
    """The counts, in one line."""
    measured = seconds >= 1 and found.entries >= MOST_LINES
    rate = f" · {number(round(found.entries / seconds))} rows/s" if measured else ""
    took = f"{duration(seconds)}{rate}"
    if not found.invalid:
        valid = "all valid" if found.entries != 1 else "valid"
        warned = f", {counted(found.warnings, 'warning')}" if found.warnings else ""
        text = f" {counted(found.entries, 'entry')}, {valid}{warned}   {took}"
        screen.line(("✓", GOOD), text, indent=2)
        return
    errors = sum(kind.rows for kind in found.kinds if kind.severity is Severity.ERROR)
    what = (
        f"{counted(errors, 'error')} in {number(found.invalid)} of {counted(found.entries, 'row')}"
    )
    text = f" {what}   nothing was sent · "
    if screen.width is not None and 1 + cells(text) + cells(took) > screen.width:
        took = duration(seconds)
    screen.line(("✗", BAD), f"{text}{took}", indent=2)


def _with_caret(screen: Screen, manifest: Manifest, problem: Problem) -> None:
    style = BAD if problem.severity is Severity.ERROR else WAIT
    screen.line((f"{problem.severity}[{problem.code}]", style), f" {problem.message}", indent=4)
    place = problem.place
    gutter = max(len(str(place.line)), 3) + 1
    blank = " " * gutter
    where = f"{pointer(place)}{path_inside(manifest, problem)}"
    screen.line(f"{blank} ", ("┌─ ", QUIET), where, indent=gutter + 4)
    source = manifest.source_line(place) if place.line else None
    if source is not None:
        line, caret, width = window(source, place.column, problem.value, screen.width, gutter + 3)
        screen.verbatim((f"{place.line:>{gutter}} │ ", QUIET), line)
        if caret:
            screen.verbatim((f"{blank} │ ", QUIET), " " * (caret - 1), ("^" * width, style))
    if problem.hint:
        screen.line(f"{blank} = ", problem.hint, indent=gutter + 3)


def path_inside(manifest: Manifest, problem: Problem) -> str:
    """In JSON and YAML, whose lines say little: which entry, and which of its fields."""
    if manifest.files[0].detected.columns is not None or not problem.place.row:
        return ""
    if len(manifest.files) > 1 or not problem.field:
        return f"  {problem.field}".rstrip()
    images = "images" if manifest.header.system_name else ""
    return f"  {images}[{problem.place.row - 1}].{problem.field}"


def window(
    source: str, column: int, value: str, width: int | None, used: int
) -> tuple[str, int, int]:
    """The part of a source line around its caret: text, column of the caret in it (0: none),
    and the caret's width. ``used`` columns are taken by the gutter. A long line is cut on the
    left, then on the right, so that the caret stays in sight."""
    first = source.splitlines()[0] if source else ""
    before, marked = first[: max(0, column - 1)], first[max(0, column - 1) :]
    hit = len(value) if value and marked.startswith(value) else 1
    before, shown, rest = clean(before), clean(marked[:hit]), clean(marked[hit:])
    caret_width = max(1, cells(shown))
    if width is not None:
        room = width - used
        keep = min(caret_width, max(1, room // 2))
        before = cut_left(before, max(1, room - keep - min(12, cells(rest)) - 1))
        shown = cut(shown, room - cells(before)) if cells(shown) > room - cells(before) else shown
        rest = cut(rest, max(0, room - cells(before) - cells(shown))) if rest else ""
        caret_width = min(caret_width, max(1, room - cells(before)))
    line = f"{before}{shown}{rest}"
    return line, (cells(before) + 1 if column else 0), caret_width
