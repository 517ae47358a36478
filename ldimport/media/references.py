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
    id for a reference, the number of a group within, 0 for an element."""

    def __init__(self) -> None:
        self._groups: list[list[str | int]] = [[]]
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
        shown.append(0)
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
        counts: dict[int, int] = {}
        begun: set[int] = set()
        loops, following = 0, [0]
        while following:
            number = following.pop()
            if number < 0:  # all within are counted
                all_ = sum(1 + counts.get(each, 0) for each in self._within(~number))
                counts[~number] = min(MOST + 1, all_)
            elif number not in begun:
                begun.add(number)
                new = {each for each in self._within(number) if each not in counts} - {0, number}
                loops += len(new & begun)
                following += [~number, *(new - begun)]
        return bool(counts[0] ** min(loops + 1, 9) > MOST)

    def _within(self, number: int) -> list[int]:
        known = self._named
        return [known.get(a, 0) if isinstance(a, str) else a for a in self._groups[number]]
