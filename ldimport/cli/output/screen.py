"""The grammar of our screens (ux.md 1): lines, counts, tables and hints on one stream.

Every part of a line is outside text until proven otherwise: it is cleaned here and never read as
markup. On a terminal nothing is wider than it; elsewhere nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import clean, number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Part = str | tuple[str, str]
"""A piece of a line: text, or text and its style."""

GOOD, BAD, QUIET, BUSY, WAIT, ACCENT = "green", "red", "bright_black", "blue", "yellow", "bold"


@dataclass(frozen=True, slots=True)
class Count:
    """One row of a block of counts: sign, word, number, note."""

    sign: str
    word: str
    count: int
    note: str = ""
    style: str = ""


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
        file=stream.file,
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
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The Rich console, made when first needed."""
        if self._console is None:
            self._console = console_for(self.stream)
        return self._console

    @property
    def width(self) -> int | None:
        """Columns, or None for unlimited."""
        return self.stream.width

    def line(self, *parts: Part, indent: int = 0) -> None:
        """One line; wrapped at words where it is wider than the terminal, continued ``indent``
        columns to the right."""
        text = assemble(*parts)
        width = self.width
        if width is None or text.cell_len <= width:
            self._write([text])
            return
        indent = min(indent, width // 2)
        first = list(text.wrap(self.console, width, overflow="fold"))
        if indent and len(first) > 1:
            head = first[0]
            rest = text[len(head) :]
            rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
            tail = rest.wrap(self.console, width - indent, overflow="fold")
            first = [head, *(assemble(" " * indent).append_text(each) for each in tail)]
        self._write(first)

    def verbatim(self, *parts: Part) -> None:
        """One line that is never wrapped by us, so that it can be copied."""
        self._write([assemble(*parts)])

    def blank(self) -> None:
        """An empty line."""
        self._write([assemble()])

    def counts(self, rows: Iterable[Count], total: tuple[str, int] | None = None) -> None:
        """A block of counts, right-aligned, followed by their sum."""
        shown = list(rows)
        words = [row.word for row in shown] + ([total[0]] if total else [])
        numbers = [number(row.count) for row in shown] + ([number(total[1])] if total else [])
        left, right = max(map(len, words), default=0), max(map(len, numbers), default=0)
        for row, text in zip(shown, numbers, strict=False):
            note: tuple[Part, ...] = (f"  {row.note}",) if row.note else ()
            label = f"{row.sign} {row.word:<{left}}"
            self.line(
                "  ", (label, row.style), f"  {text:>{right}}", *note, indent=left + right + 8
            )
        if total:
            self.line(f"    {total[0]:<{left}}  {numbers[-1]:>{right}}")

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

    def hints(self, hints: Sequence[tuple[str, str]]) -> None:
        """Several hints with their reasons in one column, after an empty line."""
        if not hints:
            return
        self.blank()
        left = max(len(command) for command, _ in hints)
        width = self.width
        aligned = width is None or all(left + 5 + len(why) <= width for _, why in hints)
        for command, why in hints:
            self.hint(f"{command:<{left}}" if aligned and why else command, why)

    def _write(self, lines: Iterable[Text]) -> None:
        for line in lines:
            line.rstrip()
            if self.stream.unicode:  # straight, so that a live display stays below
                self.console.print(line, soft_wrap=True)
                continue
            with self.console.capture() as captured:
                self.console.print(line, soft_wrap=True)
            self.stream.write(captured.get())
        self.stream.file.flush()


def assemble(*parts: Part) -> Text:
    """Cleaned parts as one Rich text; never markup."""
    from rich.text import Text

    text = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        text.append(clean(words), style)
    return text
