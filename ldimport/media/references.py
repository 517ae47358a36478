"""How much the references within an SVG stand for: a group of two ``<use>`` of a group of two, and
so on thirty times, is a billion elements to whoever shows it."""

import re
from collections.abc import Mapping

MOST = 1_000_000
"""Elements and references that a document may stand for; no viewer shows as many."""
_BY_URL = re.compile(r"url\(\s*[\"']?#([^\"')\s]+)", re.IGNORECASE)


class References:
    """Told of every element as it begins and ends, with the attributes that it keeps. An element
    with an id begins a group, which stands within that of its parent: a list of what is shown, an
    id for a reference, the number of a group within, None for an element."""

    def __init__(self) -> None:
        self._groups: list[list[str | int | None]] = [[]]
        self._named: dict[str, int] = {}
        self._open = [0]

    def begin(self, element: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        number = self._open[-1]
        if name := attributes.get("id"):
            self._groups[number].append(number := len(self._groups))
            self._groups.append([])
            self._named.setdefault(name, number)
        shown = self._groups[number]
        shown.append(None)
        for attribute, value in attributes.items():
            if attribute == "href" and element != "a":
                shown.append(value.strip().removeprefix("#"))
            elif "(" in value:
                shown.extend(_BY_URL.findall(value))
        self._open.append(number)

    def end(self) -> None:
        """The last one that began ends."""
        self._open.pop()

    def too_many(self) -> bool:
        """Whether all that is shown is more than ``MOST``. Each group is counted once. A reference
        to what it stands in shows nothing there, but may when it is reached another way: for every
        such loop the whole counts as a factor once more."""
        counts: dict[int | None, int] = {}
        begun: set[int | None] = set()
        following: list[int | None] = [0]
        loops = 0
        while following:
            number = following[-1]
            if number in counts:
                following.pop()
                continue
            within = [*map(self._number, self._groups[number or 0])]
            if number in begun:
                counts[number] = min(MOST + 1, sum(1 + counts.get(each, 0) for each in within))
                continue
            begun.add(number)
            new = {each for each in within if each not in (None, number) and each not in counts}
            loops += len(new & begun)
            following.extend(new - begun)
        return int(counts[0] ** min(loops + 1, 9)) > MOST

    def _number(self, shown: str | int | None) -> int | None:
        return self._named.get(shown) if isinstance(shown, str) else shown
