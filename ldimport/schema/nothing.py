"""Words by which programs say that there is nothing: NULL, None, nan, N/A, [object Object]."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ldimport.model import Entry, Place, Problem, Severity

_SPELLED = (
    "null", "none", "nan", "nil", "n/a", "undefined", "(null)", "<null>", "<na>", "nat", "(none)",
)  # fmt: skip
NOTHING = frozenset(
    form(word) for word in _SPELLED for form in (str.lower, str.upper, str.title)
) | {"NaN", "NaT", "<NA>", "\\N", "#N/A", "#N/A N/A", "#NV", "#NULL!", "#REF!", "#VALUE!", "#NAME?",
     "#DIV/0!", "#NUM!", "-NaN", "-nan", "[object Object]"}  # fmt: skip
LONGEST = max(map(len, NOTHING))
MANY = 10
"""In fewer rows of a column such a word may be meant."""


@dataclass(slots=True)
class _Column:
    first: Place
    rows: int = 0
    words: dict[str, int] = field(default_factory=dict)


class Nothings:
    """Counts these words by column; what is said of them is said once, at the end of a pass."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}

    def add(self, field: str, word: str, place: Place) -> None:
        """One row whose ``field`` is such a word."""
        column = self._columns.setdefault(field, _Column(place))
        column.rows += 1
        column.words[word] = column.words.get(word, 0) + 1

    def look(self, entry: Entry) -> None:
        """Count those of an entry."""
        if entry.file_name in NOTHING:
            self.add("fileName", str(entry.file_name), entry.place)
        for handle, value in entry.metadata.items():
            if type(value) is str and len(value) <= LONGEST and value in NOTHING:
                self.add(f"metadata.{handle}", value, entry.place)

    def problems(self) -> Iterator[Problem]:
        """A warning for each column in which there are many."""
        for name, column in self._columns.items():
            if column.rows >= MANY:
                often = sorted(column.words, key=lambda word: -column.words[word])
                text = f"{name} is only {_listed(often[:3])} in {column.rows:,} rows"
                hint = "they are taken as texts: if they mean nothing, leave these cells empty"
                yield Problem(Severity.WARNING, "word-for-nothing", column.first, name, text, hint,
                              value=often[0])  # fmt: skip


def _listed(words: Iterable[str]) -> str:
    return " or ".join(f"“{word}”" for word in words)
