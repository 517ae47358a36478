"""What a check finds before it is known in which row: a code, a sentence, a way out."""

from collections.abc import Iterable
from dataclasses import dataclass

from ldimport.errors import near
from ldimport.model import Severity
from ldimport.url import without_secrets

SHOWN = 120
"""Characters of a value that a finding carries."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding about a value. ``path`` is where in the value (``crops[0].x``); ``publishing``:
    Livingdocs itself checks it only when something is published, so that ``--lenient`` makes a
    warning of it."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    publishing: bool = False
    path: str = ""
    value: str = ""


class BadValue(ValueError):  # noqa: N818  an answer about one value
    """A text that does not become what its plugin stores."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def proposed(word: str, known: Iterable[str], it_has: str = "it has: ") -> str:
    """The hint for a word that is not among the known ones."""
    known = list(known)
    guess = near(word, known)
    return f"{f'did you mean “{guess}”? ' if guess else ''}{it_has}{listed(known)}"


def listed(words: Iterable[str], most: int = 8) -> str:
    """The first few of a list, and how many more."""
    shown = list(words)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def sample(text: str) -> str:
    """What a finding carries of a value. Cut first, a password would lose the @ that tells it."""
    return without_secrets(text)[:SHOWN]


def cut(text: str, most: int = 40) -> str:
    """A value as it stands inside a sentence."""
    one_line = " ".join(without_secrets(text).split())
    return one_line if len(one_line) <= most else f"{one_line[: most - 1]}…"
