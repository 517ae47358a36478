"""Text as a terminal has room for it, and words for a shell. Imports nothing heavy."""

import re
import shlex
from collections.abc import Mapping

from ldimport.url import without_secrets

_URL = re.compile(r"https?://[^/?#]*/?", re.IGNORECASE)


def shell_word(word: str) -> str:
    """A word as a shell takes it; what people are to fill in stands as it is. Quotes would tear a
    URL, so its secrets go first."""
    return word if word == "HOST[:PORT]" else shlex.quote(without_secrets(word))


def cells(text: str) -> int:
    """Columns that a text takes on a terminal (wide characters take two)."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """At most ``width`` columns; what is left out is marked by ``…``, and no digit stands before
    it, since a number that lost its end would be another number."""
    if cells(text) <= width:
        return text
    from rich.cells import set_cell_size

    return re.sub(r"[\d.,\s]+$", "", set_cell_size(text, max(0, width - 1))) + "…"


def cut_url(url: str, width: int) -> str:
    """An address shortened in its middle, so that one sees where it leads and to which file; the
    end is kept longer than the beginning. Other text is cut at its end."""
    if cells(url) <= width or not _URL.match(url):
        return cut(url, width)
    from rich.cells import set_cell_size

    place = _URL.match(url)
    assert place is not None
    head = min(cells(place[0]), width // 2 - 1) if width >= 8 else 0
    begin = re.sub(r"[\d.,\s]+$", "", set_cell_size(url, head)) if head else ""
    return begin + cut_left(url, width - cells(begin))


def cut_left(text: str, width: int) -> str:
    """Like ``cut``, but the end is kept, as the end of a path says more."""
    if cells(text) <= width:
        return text
    from rich.cells import set_cell_size

    return "…" + set_cell_size(text[::-1], max(0, width - 1))[::-1].lstrip()


def environment_flag(environ: Mapping[str, str], name: str) -> bool:
    """Whether a yes/no variable says yes; unset, empty, 0, false, no and off do not."""
    return environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")
