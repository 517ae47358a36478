"""The grammar of our screens: lines, counts, tables, hints and errors on one stream. Every part of
a line is outside text until proven otherwise: it is cleaned here and never read as markup. On a
terminal nothing is wider than it; elsewhere nothing is cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, TYPE_CHECKING, cast

from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import cells, cut_url
from ldimport.wording import clean, number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    from ldimport.errors import LdimportError

Part = str | tuple[str, str]
"""A piece of a line: text, or text and its style."""

GOOD, BAD, QUIET, BUSY, WAIT, ACCENT = "green", "red", "bright_black", "blue", "yellow", "bold"
STYLES = {"✓": GOOD, "+": GOOD, "·": QUIET, "✗": BAD, "…": BUSY, "⧗": WAIT, "!": WAIT, "■": WAIT,
          "~": WAIT, "→": QUIET, "–": QUIET, "↻": WAIT}  # fmt: skip
"""How each sign looks, and what stands beside it."""
OUTCOMES = {
    "success": ("✓", "imported"),
    "skipped": ("·", "skipped"),
    "failed": ("✗", "failed"),
    "waived": ("–", "waived"),
    "pending": ("…", "in progress"),
    "unsubmitted": ("⧗", "not sent yet"),
    "invalid": ("!", "invalid"),
}
"""Each of ``Totals`` with its sign and word."""
ALWAYS = ("success", "skipped", "failed")
"""Those that are shown also when they are 0."""

Hint = tuple[str, str]
"""A command to go on with, and what for."""
Count = tuple[str, str, int, str]
"""One row of a block of counts: sign, word, number, note."""


def bar(done: int, whole: int, width: int, style: str = GOOD) -> ProgressBar:
    """A bar that stays true: empty below one percent, full only when all is done."""
    from rich.progress_bar import ProgressBar

    halves = 2 * width * done // whole if whole else 0
    shown = max(1, halves) if done * 100 >= whole > 0 else 0
    return ProgressBar(2 * width, shown, width, style=QUIET, complete_style=style,
                       finished_style=style)  # fmt: skip


def console_for(stream: Stream) -> Console:
    """A Rich console on ``stream`` that follows a resized window, and never guesses."""
    from rich.console import Console, ConsoleDimensions

    class OurConsole(Console):
        """Width limited through ``size``: a fixed ``width`` would break when resized."""

        @property
        def size(self) -> ConsoleDimensions:
            return ConsoleDimensions(stream.width or 1_000_000, 25)

        @size.setter
        def size(self, value: tuple[int, int]) -> None:
            raise AttributeError("the stream decides")

        def on_broken_pipe(self) -> None:
            raise  # the command line ends quietly; Rich would exit with 1

    return OurConsole(
        file=cast("IO[str]", stream),
        force_terminal=stream.tty or stream.colour,
        force_interactive=stream.live,
        color_system="standard" if stream.colour else None,
        no_color=not stream.colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


class Screen:
    """Writes the pieces of a screen to one stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @cached_property
    def console(self) -> Console:
        """The Rich console, made when first needed."""
        return console_for(self.stream)

    @property
    def width(self) -> int | None:
        """Columns, or None for unlimited."""
        return self.stream.width

    def line(self, *parts: Part, indent: int = 0) -> None:
        """One line, wrapped at words to the terminal's width and continued at ``indent``."""
        text = assemble(*parts)
        width = self.width
        if width is None or text.cell_len <= width:
            self._write([text])
            return
        indent = min(indent, width // 2)
        head, *tail = text.wrap(self.console, width, overflow="fold")
        if tail:
            rest = text[len(head) :]
            rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
            wrapped = rest.wrap(self.console, width - indent, overflow="fold")
            tail = [assemble(" " * indent).append_text(each) for each in wrapped]
        self._write([head, *tail])

    def say(self, sign: str, text: str) -> None:
        """A sign in its colour, and a sentence."""
        self.line((sign, STYLES[sign]), f" {text}", indent=2)

    def verbatim(self, *parts: Part) -> None:
        """One line that is never wrapped by us, so that it can be copied."""
        self._write([assemble(*parts)])

    def lines(self, texts: Iterable[str]) -> None:
        """Clean lines, each as it is, as one block."""
        from rich.text import Text

        self._write([Text("\n".join(text.rstrip() for text in texts))])

    def blank(self) -> None:
        """An empty line."""
        self._write([assemble()])

    def block(self, *lines: RenderableType) -> None:
        """What Rich lays out: tables, grids, bars."""
        from rich.text import Text

        for each in lines:
            for line in self.console.render_lines(each, pad=False):
                self._write([Text.assemble(*((part.text, part.style or "") for part in line))])

    def counts(self, rows: Sequence[Count], total: tuple[str, int]) -> None:
        """A block of counts, right-aligned, followed by their sum."""
        left = max(len(word) for word in (total[0], *(row[1] for row in rows)))
        right = max(len(number(count)) for count in (total[1], *(row[2] for row in rows)))
        for sign, word, count, note in rows:
            label = (f"{sign} {word:<{left}}", STYLES.get(sign, "") if count else QUIET)
            text = f"  {number(count):>{right}}" + (f"  {note}" if note else "")
            self.line("  ", label, text, indent=left + right + 8)
        self.line(f"    {total[0]:<{left}}  {number(total[1]):>{right}}")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Label and text, aligned: ``where``, ``why``, ``state``."""
        left = max(map(len, facts), default=0)
        for label, text in facts.items():
            self.line("  ", (f"{label:<{left}}", QUIET), f"  {text}", indent=left + 4)

    def hint(self, command: str, why: str = "") -> None:
        """``→ command   why``: the command whole, the reason below it where both do not fit."""
        head = assemble(("→ ", ACCENT), (command, ACCENT))
        width = self.width
        if why and (width is None or head.cell_len + 3 + len(why) <= width):
            self._write([head.append(f"   {clean(why)}")])
            return
        self._write([head])
        if why:
            self.line("    ", why, indent=4)

    def hints(self, hints: Sequence[Hint]) -> None:
        """Several hints with their reasons in one column, after an empty line."""
        if not hints:
            return
        self.blank()
        left, width = max(len(command) for command, _ in hints), self.width
        aligned = width is None or all(left + 5 + len(why) <= width for _, why in hints)
        for command, why in hints:
            self.hint(f"{command:<{left}}" if aligned and why else command, why)

    def error(self, error: LdimportError) -> None:
        """An error as people read it: what, where and why, what to do next."""
        self.say("✗", error.message)
        if error.facts:
            self.blank()
            self.facts(error.facts)
        if error.hint:
            if error.facts:
                self.blank()
            command, _, why = error.hint.partition("   ")
            if command.startswith(("ldimport ", "pip ")):  # to copy: it stays whole
                self.hint(command, why)
            else:
                self.line("→ ", command, *(("   ", why) if why else ()), indent=2)

    def _write(self, lines: Iterable[Text]) -> None:
        for line in lines:
            line.rstrip()
            self.console.print(line, soft_wrap=True)
        self.stream.flush()


def assemble(*parts: Part) -> Text:
    """Cleaned parts as one Rich text; never markup."""
    from rich.text import Text

    pairs = (part if isinstance(part, tuple) else (part, "") for part in parts)
    return Text.assemble(*((clean(words), style) for words, style in pairs))


# -- tables: they never cut a number, as Rich's own cells would (7,990 as ``7…``) ---------------

GAP = 2
_NARROWEST, _WIDEST_ITEM = 16, 28

CellText = str | tuple[str, ...]
"""Text, or several items of which as many are shown as fit."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """``right`` aligns numbers. Where space is short, columns that ``shrink`` lose characters, the
    last first; then columns with ``drop`` above 0 are left out, the highest first. Of others, what
    leaves no room for the rest makes no column wide: it pushes on its own row alone."""

    name: str
    right: bool = False
    shrink: bool = False
    drop: int = 0


WINDOW = 1_000
"""So many rows of a table say how wide its columns are; it may have more."""


def table(
    screen: Screen, columns: Sequence[TableColumn], rows: Iterable[Sequence[CellText]]
) -> None:
    """Print a table with its header, as its rows come; where all are known, without the columns in
    which no row has a value."""
    every = iter(rows)
    some = list(islice(every, WINDOW))
    shown = [*range(len(columns))]
    if screen.width is not None and 0 < len(some) < WINDOW:
        shown = [n for n in shown if any(_whole(row[n]) for row in some)]
    cells_shown = [[row[n] for n in shown] for row in some]
    fitted = _fitting([columns[n] for n in shown], cells_shown, screen.width)
    widths = {shown[n]: width for n, width in fitted.items()}
    screen.verbatim((_row([column.name for column in columns], columns, widths).rstrip(), ACCENT))
    while some:
        screen.lines(_row(row, columns, widths) for row in some)
        some = list(islice(every, WINDOW))


def _row(row: Sequence[CellText], columns: Sequence[TableColumn], widths: Mapping[int, int]) -> str:
    texts = []
    for n, width in widths.items():
        text = shortened(row[n], width) if columns[n].shrink else _whole(row[n])
        blanks = " " * (width - cells(text))
        texts.append(blanks + text if columns[n].right else text + blanks)
    return (" " * GAP).join(texts)


def _fitting(
    columns: Sequence[TableColumn], rows: Sequence[Sequence[CellText]], most: int | None
) -> dict[int, int]:
    """Which columns are shown, and how wide each is."""
    sizes = [
        [cells(column.name), *(cells(_whole(row[n])) for row in rows)]
        for n, column in enumerate(columns)
    ]
    widths = dict(enumerate(map(max, sizes)))

    def over() -> int:
        return 0 if most is None else sum(widths.values()) + GAP * (len(widths) - 1) - most

    if most is not None and over() > 0:
        widths |= _without_outliers(columns, sizes, most)
    for n in reversed(widths):
        if columns[n].shrink:
            least = min(_least(row[n] for row in rows), widths[n])
            widths[n] = max(least, widths[n] - max(0, over()))
    while over() > 0:
        last = max(widths, key=lambda n: columns[n].drop)
        if not columns[last].drop:
            break
        del widths[last]
    return widths


def _least(column: Iterable[CellText]) -> int:
    """How narrow a column may become that shrinks: of several items the first one stays whole."""
    firsts = (cells(clean(each[0])) + len(" …") for each in column if not isinstance(each, str))
    return max(_NARROWEST, min(_WIDEST_ITEM, max(firsts, default=0)))


def _without_outliers(
    columns: Sequence[TableColumn], sizes: Sequence[Sequence[int]], most: int
) -> dict[int, int]:
    """How wide the columns are that are never cut: all cells that leave room for the others."""
    least = {n: max(sizes[n]) for n, column in enumerate(columns) if not column.drop}
    for n in least:
        if columns[n].shrink:
            least[n] = min(_NARROWEST, least[n])
        elif not columns[n].right:
            least[n] = max(sizes[n][0], min(sizes[n][1:], default=0))
    found = {}
    for n in least:
        if not (columns[n].shrink or columns[n].right):
            room = most - sum(least.values()) - GAP * (len(least) - 1) + least[n]
            found[n] = least[n] = max((size for size in sizes[n] if size <= room), default=least[n])
    return found


def shortened(content: CellText, width: int) -> str:
    """As much of a cell as fits: whole items of several, never a part of a number, and of an
    address both ends."""
    items = (content,) if isinstance(content, str) else content
    text = _whole(items)
    for count in range(len(items) - 1, 0, -1):
        if cells(text) > width:
            text = f"{_whole(items[:count])} …"
    return text if cells(text) <= width else cut_url(clean(items[0]), width)


def _whole(content: CellText) -> str:
    items = (content,) if isinstance(content, str) else content
    return " · ".join(map(clean, items))
