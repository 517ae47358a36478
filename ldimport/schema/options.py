"""Values of a list as people write them: by label, or in another case."""

from collections.abc import Iterable

from ldimport.errors import near
from ldimport.model import Json
from ldimport.schema.findings import listed

_MOST = 20
"""Words remembered for the notice about one field."""
Choices = Iterable[tuple[Json, tuple[str, ...]]]
"""Each value with its labels."""


class Options:
    """The values there are. ``recognised`` are words that were taken for another value, with what
    they became; the first few."""

    def __init__(self, choices: Choices) -> None:
        self._labels = {_key(value): (value, labels) for value, labels in choices}
        self.recognised: dict[str, Json] = {}
        values = [(_key(value), value) for value, _ in self._labels.values()]
        labels = [(each, value) for value, known in self._labels.values() for each in known]
        self._exact = _unambiguous(labels) | _unambiguous(values)
        self._folded = _unambiguous([(_fold(text), value) for text, value in values + labels])

    def find(self, text: str) -> Json | None:
        """The value a text means; None where it means none of them, or may mean several."""
        found = self._exact.get(text)
        if found is None and (found := self._folded.get(_fold(text))) is None:
            return None
        if _key(found) != text and len(self.recognised) < _MOST:
            self.recognised.setdefault(text, found)
        return found

    def of(self, value: Json) -> Json:
        """A value, or a list of them, with what each text means; what means nothing stays."""
        if isinstance(value, list):
            return [self.of(each) if isinstance(each, str) else each for each in value]
        found = self.find(value) if isinstance(value, str) else None
        return value if found is None else found

    def hint(self, word: str) -> str:
        """For a word that means none of them: the nearest by value or label, and all there are."""
        names = {name: value for value, known in self._labels.values()
                 for name in (*known, _key(value))}  # fmt: skip
        guess = near(word, names)
        it_has = f"it has: {listed(map(self._shown, self._labels))}"
        if guess is None:
            return it_has
        meant = _key(names[guess])
        label = "" if _fold(guess) == _fold(meant) else f" ({guess})"
        return f"did you mean “{meant}”{label}? {it_has}"

    def _shown(self, value: str) -> str:
        """A value, with its label where that says more."""
        told = [each for each in self._labels[value][1] if _fold(each) != _fold(value)]
        return f"{value} ({told[0]})" if told else value


def scalar_text(value: Json) -> str | None:
    """A single value as a text, None for lists, objects and nothing."""
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()


def _unambiguous(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, dict[str, Json]] = {}
    for text, value in pairs:
        found.setdefault(text, {})[_key(value)] = value
    return {text: next(iter(each.values())) for text, each in found.items() if len(each) == 1}
