"""What stands between the values of a list in one cell: one sign for a column, decided over all
of its cells."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ldimport.cells import Writing
from ldimport.schema.coerce import SEPARATORS
from ldimport.schema.config import ProjectConfig
from ldimport.schema.findings import cut
from ldimport.schema.properties import ValueShape

_LISTS = (ValueShape.TEXTS, ValueShape.INTEGERS)
_LEAST = 10
"""Of so many cells with any of the signs one must have the column's own: a stronger sign that is
rarer stands within a value."""
_NAMES = {"\n": "a line break"}


def undecided(config: ProjectConfig, writings: Mapping[str, Writing]) -> frozenset[str]:
    """The fields that store lists and for which nobody named a separator."""
    found = (each for kind in config.media_types.values() for each in kind.properties.values())
    names = (f"metadata.{each.handle}" for each in found if each.shape in _LISTS)
    return frozenset(n for n in names if n not in writings or writings[n].separator is None)


@dataclass(frozen=True, slots=True)
class ColumnSeparator:
    """The sign that separates lists in the column of ``field``; ``others`` is what else stands in
    ``single`` cells that have not that one, and are one value each; ``name`` is a cell that may be
    one value as well, where most are like “Muster, Anna”."""

    field: str
    sign: str
    cells: int
    single: int
    others: tuple[str, ...]
    name: str = ""

    @property
    def remark(self) -> str:
        """What is unclear about the column; "" when nothing is."""
        if self.name:
            way = f'manifest: {{{self.field}: {{separator: ";"}}}}'
            return (
                f"{self.field}: lists are read by {_named(self.sign)} (in {self.cells:,} cells); "
                f"if “{self.name}” is one value: {way}"
            )
        if not self.single:
            return ""
        others = " or ".join(map(_named, self.others))
        way = f'manifest: {{{self.field}: {{separator: "{self.others[0]}"}}}}'.replace("\n", "\\n")
        return (
            f"{self.field}: lists are read by {_named(self.sign)} (in {self.cells:,} cells); "
            f"those with {others} instead ({self.single:,}) are one value each; "
            f"to read the column otherwise: {way}"
        )


def decide(cells: Iterable[tuple[str, Counter[str]]]) -> Iterator[ColumnSeparator]:
    """From the cells of each field: the separator of each column that has lists. It is the
    strongest sign (``|``, ``;``, line break, comma) that a tenth of the lists have."""
    columns: defaultdict[str, Counter[str]] = defaultdict(Counter)
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for field, texts in cells:
        for text, count in texts.items():
            signs = "".join(sign for sign in SEPARATORS if sign in text)
            if signs and not text.lstrip().startswith("["):  # JSON
                columns[field][signs] += count
                if signs == "," and _may_be_one(text):
                    names[field][cut(text.strip())] += count
    for field, found in columns.items():
        having = {sign: _sum(found, sign) for sign in SEPARATORS}
        least = found.total() / _LEAST
        chosen = next(sign for sign in SEPARATORS if having[sign] >= least)
        left = [signs for signs in found if chosen not in signs]
        others = tuple(sign for sign in SEPARATORS if any(sign in signs for signs in left))
        single = sum(found[signs] for signs in left)
        alike = names[field] if chosen == "," else Counter[str]()
        name = next(iter(alike), "") if 2 * alike.total() > having[chosen] else ""
        yield ColumnSeparator(field, chosen, having[chosen], single, others, name)


def _may_be_one(text: str) -> bool:
    """Whether this is like a name, ``Muster, Anna``, and may be one value."""
    first, _, second = text.strip().partition(", ")
    return first[:1].isupper() and second[:1].isupper() and text.count(",") == 1


def _sum(found: Counter[str], sign: str) -> int:
    return sum(cells for signs, cells in found.items() if sign in signs)


def _named(sign: str) -> str:
    return _NAMES.get(sign, f"“{sign}”")
