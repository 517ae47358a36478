"""What we know about standard output and standard error: terminal or not, width, colour, signs.
Not asked from Rich: FORCE_COLOR would switch its animation on in a pipe. Imports nothing heavy."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from ldimport.cli.output.text import environment_flag
from ldimport.harmless import spoken

MOST_COLUMNS = 160
"""No screen is wider, even where the terminal is."""

_ASCII = str.maketrans(dict(zip("✓·✗…⧗■→“”─━╸╺┌│×–—➜↻", (
    "ok", "-", "x", "...", "~", "#", "->", '"', '"', "-", "-", "-", "-", "+", "|", "x", "-", "-",
    ">", "@",
), strict=True)))  # fmt: skip
"""Signs in words, for streams that cannot encode them."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One standard stream. ``width`` is None where lines may be of any length (not a terminal);
    ``live`` says whether something may move on it."""

    file: TextIO
    tty: bool = False
    colour: bool = False
    live: bool = False
    unicode: bool = True
    columns: int | None = None

    @property
    def width(self) -> int | None:
        """Columns of a screen now, at most 160; asked anew each time, as windows are resized."""
        if not self.tty:
            return None
        columns = self.columns
        if columns is None:
            with suppress(OSError, ValueError):
                columns = os.get_terminal_size(self.file.fileno()).columns
        return max(20, min(columns or 80, MOST_COLUMNS))

    def write(self, text: str) -> None:
        """Write whole lines as they are, but for what a CI system takes for a command, and signs
        that the stream cannot encode."""
        text = spoken(text)
        self.file.write(text if self.unicode else text.translate(_ASCII))

    def flush(self) -> None:
        """Let it be seen."""
        self.file.flush()

    def line(self, text: str) -> None:
        """Write one line and let it be seen at once."""
        self.write(f"{text}\n")
        self.flush()

    def document(self, text: str, *, end: str = "\n") -> None:
        """Write a line of JSON, or the part of one that ends so; what the stream cannot encode as
        escapes."""
        if not self.unicode:
            text = "".join(each if each.isascii() else json.dumps(each)[1:-1] for each in text)
        self.write(f"{text}{end}")
        self.flush()


def look_at(
    file: TextIO, environ: Mapping[str, str], *, no_color: bool = False, still: bool = False
) -> Stream:
    """Find out about ``file``. ``still`` forbids movement (``--json``, ``--quiet``)."""
    tty = not file.closed and file.isatty()
    dumb = environ.get("TERM") == "dumb"
    encoding = getattr(file, "encoding", None) or "utf-8"
    can = b"?" not in "✓⧗→━╸“".encode(encoding, "replace")
    forced = any(environment_flag(environ, name) for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    wanted = not (no_color or environ.get("NO_COLOR")) and (forced or (tty and not dumb))
    columns = environ.get("COLUMNS", "")
    return Stream(
        file,
        tty=tty,
        colour=wanted,
        live=tty and can and not still and not dumb and not environment_flag(environ, "CI"),
        unicode=can,
        columns=int(columns) or None if columns.isascii() and columns.isdigit() else None,
    )
