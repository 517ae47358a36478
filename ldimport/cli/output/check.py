"""The findings of a check on the screen: carets for a few, a table by kind for many."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ldimport.cli.output.screen import ACCENT, BAD, QUIET, WAIT, Screen, TableColumn, table
from ldimport.cli.output.text import cells, cut, cut_left
from ldimport.manifest import Detected, Manifest, encoding_name
from ldimport.migration import Source
from ldimport.migration.validate import FindingGroup, Validation
from ldimport.model import Place, Problem, Severity
from ldimport.schema.config import ProjectConfig
from ldimport.url import without_secrets
from ldimport.wording import clean, counted, duration, number

MOST_WITH_CARET = 10
MOST_KINDS = 12
MOST_GROUPS = 8
MOST_OF_CONFIG = 3
MOST_LINES = 50
MOST_FILES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings are shown: ``warnings`` beside errors; ``kinds``: every kind, of both, as a
    group with one example."""

    warnings: bool = False
    kinds: bool = False


ERRORS = Wanted()


def head(screen: Screen, source: Source) -> None:
    """What was read and how, and what it is checked against: a wrong guess must be visible."""
    left, manifest = len("checked against"), source.manifest
    for name, text in _files(manifest):
        name = manifest.name if len(manifest.files) == 1 else name
        screen.line((f"{name:<{left}}", ACCENT), f"  {text}", indent=2)
    screen.line(f"checked against  {config_text(source.config)}", indent=left + 2)
    screen.blank()


def how_read(manifest: Manifest) -> list[str]:
    """Each file and how it was read: ``archive.csv: CSV · Windows-1252 · “;” · 9 columns``."""
    return [": ".join(filter(None, told)) for told in _files(manifest)]


def _files(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for file in manifest.files[:MOST_FILES]:
        yield file.path, detected_text(file.detected)
    if len(manifest.files) > MOST_FILES:
        yield "", f"and {counted(len(manifest.files) - MOST_FILES, 'more file')}"


def detected_text(detected: Detected) -> str:
    """``CSV · UTF-8 · “;” · 9 columns``."""
    parts = [str(detected.format).upper(), encoding_name(detected.encoding)]
    if detected.delimiter:
        parts.append("tab" if detected.delimiter == "\t" else f"“{detected.delimiter}”")
    if detected.columns:
        parts.append(counted(detected.columns, "column"))
    return " · ".join(parts)


def config_text(config: ProjectConfig) -> str:
    """Which project config, and its media types."""
    kinds = ", ".join(list(config.media_types)[:6])
    if config.is_default:
        return f"the default media type “{kinds}”; --project-config names your own"
    path = Path(config.origin)
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    name = str(path) if config.origin else "project config"
    revision = f" (revision {config.revision})" if config.revision is not None else ""
    more = ", …" if len(config.media_types) > 6 else ""
    return f"{name}{revision} · media types {kinds}{more}"


def notices(screen: Screen, found: Validation) -> None:
    """What is worth a line and about no row alone."""
    config = [each for each in found.notices if each.code == "project-config"]
    for notice in found.notices:
        if notice not in config[MOST_OF_CONFIG:]:
            screen.say("!", notice.text)
    if (more := len(config) - MOST_OF_CONFIG) > 0:
        screen.say("!", f"project config: {more} more, which config check shows")


def identity(screen: Screen, found: Validation) -> None:
    """What may make an archive arrive twice: always worth its line before anything is sent."""
    for text, hint in doubled(found):
        screen.say("!", text)
        screen.line("    ", hint, indent=4)


def doubled(found: Validation) -> Iterator[tuple[str, str]]:
    """What may make an archive arrive twice, and what to do."""
    for kind in found.kinds:
        if kind.code in ("new-system-name", "other-system-name", "id-alike"):
            more = counted(kind.rows - 1, "more row")
            yield f"{kind.message}{f' ({more} like it)' if kind.rows > 1 else ''}", kind.hint


# -- all findings --------------------------------------------------------------------------


def show(screen: Screen, source: Source, found: Validation, wanted: Wanted = ERRORS) -> None:
    """Problems in the form that suits the stream."""
    if screen.stream.tty:
        head(screen, source)
    if wanted.kinds:
        groups(screen, source.manifest, found.kinds)
        screen.blank()
        _remarks(screen, found, found.kinds, warnings=True)
    elif screen.stream.tty:
        findings(screen, source.manifest, found, warnings=wanted.warnings)
    else:
        lines(screen, found, warnings=wanted.warnings)


def findings(screen: Screen, manifest: Manifest, found: Validation, *, warnings: bool) -> None:
    """Problems on a terminal: with source line and caret up to ten, by kind beyond."""
    shown, kinds = _to_show(found, warnings=warnings)
    many = sum(kind.rows for kind in kinds)
    if many <= MOST_WITH_CARET and len(shown) >= many:
        for each in shown:
            _with_caret(screen, manifest, each)
            screen.blank()
    elif kinds:
        ordered = sorted(kinds, key=lambda kind: -kind.rows)
        groups(screen, manifest, ordered[:MOST_GROUPS])
        if rest := ordered[MOST_GROUPS:]:
            screen.blank()
            hit = counted(sum(kind.rows for kind in rest), "problem")
            more = f"and {counted(len(rest), 'more kind')} ({hit}): {_codes(rest)}"
            screen.line(f"{more}; --kinds shows all")
        screen.blank()
    _remarks(screen, found, kinds, warnings=warnings)


def lines(screen: Screen, found: Validation, *, warnings: bool) -> None:
    """Problems where no terminal is: one a line, to be searched; then by kind what is left."""
    shown, kinds = _to_show(found, warnings=warnings)
    for each in shown[:MOST_LINES]:
        hint = f" (hint: {each.hint})" if each.hint else ""
        text = f"{each.severity}[{each.code}] {each.message}{hint}"
        screen.line(f"{pointer(each.place)}: {text}")
    rest = sum(kind.rows for kind in kinds) - min(len(shown), MOST_LINES)
    if rest > 0:
        screen.line(f"and {number(rest)} more; all of them by kind:")
        by_kind(screen, kinds, most=MOST_LINES)
    _remarks(screen, found, kinds, warnings=warnings)


def _to_show(found: Validation, *, warnings: bool) -> tuple[list[Problem], list[FindingGroup]]:
    wanted = Severity if warnings else (Severity.ERROR,)
    problems = [each for each in found.problems if each.severity in wanted]
    return problems, [kind for kind in found.kinds if kind.severity in wanted]


def _remarks(
    screen: Screen, found: Validation, kinds: Sequence[FindingGroup], *, warnings: bool
) -> None:
    """What Livingdocs documents for publishing alone, and how many warnings are not shown."""
    if codes := ", ".join(dict.fromkeys(kind.code for kind in kinds if kind.publishing)):
        errors = any(kind.publishing and kind.severity is Severity.ERROR for kind in kinds)
        way = "; --lenient makes warnings of them" if errors else ""
        told = "Livingdocs documents these for publishing, and not whether an import checks them"
        screen.say("·", f"{told}: {codes}{way}")
        screen.blank()
    if found.warnings and not warnings:
        left_out = [kind for kind in found.kinds if kind.severity is not Severity.ERROR]
        text = f"{counted(found.warnings, 'warning')}: {_codes(left_out)}"
        screen.say("!", f"{text}; --warnings shows them, --kinds one of each kind")
        screen.blank()


def pointer(place: Place, *, short: bool = False) -> str:
    """``file:line:column`` as editors and CI systems read it; unknown parts are left out.
    ``short``: without the file's folder."""
    file = place.file or "manifest"
    name = file.replace("\\", "/").rpartition("/")[2] if short else file
    if not place.line:
        return name
    return f"{name}:{place.line}:{place.column}" if place.column else f"{name}:{place.line}"


KINDS = (
    TableColumn("ROWS", right=True), TableColumn("PROBLEM"), TableColumn("FIELD", drop=1),
    TableColumn("FIRST AT", drop=2), TableColumn("EXAMPLE", shrink=True, drop=3),
)  # fmt: skip


def by_kind(screen: Screen, kinds: Sequence[FindingGroup], most: int = MOST_KINDS) -> None:
    """One row for each problem and field, the most frequent first."""
    ordered = sorted(kinds, key=lambda kind: -kind.rows)
    short = screen.width is not None
    rows = [
        (number(kind.rows), kind.code, kind.field, pointer(kind.first, short=short), example(kind))
        for kind in ordered[:most]
    ]
    table(screen, KINDS, rows)
    if rest := ordered[most:]:
        hit = sum(kind.rows for kind in rest)
        screen.line(f"and {number(len(rest))} more kinds ({counted(hit, 'row')})")


def groups(screen: Screen, manifest: Manifest, kinds: Sequence[FindingGroup]) -> None:
    """Each kind with its field, one example of what was said, and what to do."""
    left = max((len(number(kind.rows)) for kind in kinds), default=1) + 2
    for kind in kinds:
        style = BAD if kind.severity is Severity.ERROR else WAIT
        column = f" (column “{kind.column}”)" if kind.column else ""
        name = f"{kind.severity}[{kind.code}]"
        field = f"  {kind.field}{column}" if kind.field else ""
        screen.line(f"{number(kind.rows):>{left}}  ", (name, style), field, indent=left + 4)
        where = place_of(manifest, kind.first, short=True)
        text = without_secrets(kind.message).removeprefix(f"{kind.field}{column}").lstrip(": ")
        screen.line(" " * (left + 2), (f"{where}  ", QUIET), text, indent=left + 4)
        if kind.hint:
            screen.line(" " * (left + 2), ("→ ", QUIET), kind.hint, indent=left + 4)


def place_of(manifest: Manifest, place: Place, *, short: bool = False) -> str:
    """``file:line:column``, and which row that is where lines do not tell, as rows have several."""
    row = manifest.row_told(place)
    return pointer(place, short=short) + (f" (row {number(row)})" if row else "")


def _codes(kinds: Sequence[FindingGroup]) -> str:
    codes = list(dict.fromkeys(kind.code for kind in kinds))
    return ", ".join(codes[:5]) + (", …" if len(codes) > 5 else "")


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
        screen.say("✓", f"{all_valid(found)}   {took}")
        return
    errors = sum(kind.rows for kind in found.kinds if kind.severity is Severity.ERROR)
    rows = f"{number(found.invalid)} of {counted(found.entries, 'row')}"
    text = f"{counted(errors, 'error')} in {rows}   nothing was sent · "
    if screen.width is not None and 2 + cells(text) + cells(took) > screen.width:
        took = duration(seconds)
    screen.say("✗", f"{text}{took}")


def all_valid(found: Validation) -> str:
    """``12 entries, all valid, 1 warning``."""
    valid = "all valid" if found.entries != 1 else "valid"
    warned = f", {counted(found.warnings, 'warning')}" if found.warnings else ""
    return f"{counted(found.entries, 'entry')}, {valid}{warned}"


# -- one finding with its line -------------------------------------------------------------


def _with_caret(screen: Screen, manifest: Manifest, problem: Problem) -> None:
    style = BAD if problem.severity is Severity.ERROR else WAIT
    screen.line((f"{problem.severity}[{problem.code}]", style), f" {problem.message}", indent=4)
    place = problem.place
    gutter = max(len(str(place.line)), 3) + 1
    blank = " " * gutter
    where = f"{place_of(manifest, place)}{path_inside(manifest, problem)}"
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
    before, whole = without_secrets(first[: max(0, column - 1)]), without_secrets(first)
    before = before if whole.startswith(before) else ""  # the column is within a password
    marked = whole[len(before) :]
    hit = len(value) if value and marked.startswith(value) else 1
    before, shown, rest = clean(before), clean(marked[:hit]), clean(marked[hit:])
    caret_width = max(1, cells(shown))
    if width is not None:
        room = width - used
        keep = min(caret_width, max(1, room // 2))
        before = cut_left(before, max(1, room - keep - min(12, cells(rest)) - 1))
        shown = cut(shown, room - cells(before))
        rest = cut(rest, max(0, room - cells(before) - cells(shown))) if rest else ""
        caret_width = min(caret_width, max(1, room - cells(before)))
    return f"{before}{shown}{rest}", (cells(before) + 1 if column else 0), caret_width
