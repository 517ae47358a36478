"""What a pass over a manifest found out about its columns: values taken for others, properties that
a media type lacks. Each is worth one line."""

from collections.abc import Iterator, Mapping
from itertools import islice

from ldimport.model import Json
from ldimport.schema.check import Checker
from ldimport.schema.findings import cut, listed

_SHOWN = 3


def remarks(checker: Checker) -> Iterator[tuple[str, str]]:
    """(code, text) of each."""
    recognised: dict[str, dict[str, Json]] = {"mediaType": checker.words.kinds.recognised}
    left_out: dict[str, list[str]] = {}
    for kind, check in checker.checks.items():
        if check.left_out:
            left_out[kind] = [f"metadata.{handle}" for handle in sorted(check.left_out)]
        for value in check.values.values():
            if value.options is not None:
                recognised.setdefault(value.field, {}).update(value.options.recognised)
    for field, words in recognised.items():
        if words:
            yield "option-labels", f"{field}: taken by label or in another case: {_told(words)}"
    for kind, names in left_out.items():
        yield "left-out", f"rows of {kind} go without {listed(names)}, which it does not have"


def _told(words: Mapping[str, Json]) -> str:
    shown = [f"“{cut(word)}” is {value}" for word, value in islice(words.items(), _SHOWN)]
    return ", ".join(shown) + (", …" if len(words) > _SHOWN else "")
