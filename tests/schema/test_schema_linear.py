"""Checking costs in step with the text, whatever stands in it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from itertools import islice, product

import pytest
from doubling import assert_linear
from schema_projects import checked, entry, item_list, project

from ldimport.errors import ConfigError
from ldimport.model import Json
from ldimport.schema import config
from ldimport.schema.check import Checker, url_findings
from ldimport.schema.identity import Seen
from ldimport.schema.rows import quick_rows

TEXTS: dict[str, Callable[[int], str]] = {
    "blanks inside": lambda n: f"x{' ' * n}y",
    "blanks and a time": lambda n: f"2003-04-12{' ' * n}09:30",
    "signs of times": lambda n: "x" + "T11:11 " * n,
    "digits": lambda n: "1" * n,
    "grouped digits": lambda n: "1" + "'000" * n + "x",
    "zeros behind a comma": lambda n: "1" * n + "," + "0" * n + "x",
    "a fraction of a second": lambda n: "2003-04-12T09:30:00." + "1" * n,
    "separators": lambda n: "a|" * n,
    "brackets": lambda n: "[" * n,
    "a list of JSON": lambda n: "[" + "1," * n,
    "mangled letters": lambda n: "Ã¤" * n,
    "emoji": lambda n: "\U0001f600" * n,
    "line breaks": lambda n: "a\r\n" * n,
}
PLUGINS: dict[str, dict[str, Json]] = {
    "li-text": {"maxLength": 5, "allowNewlines": False},
    "li-date": {},
    "li-datetime": {},
    "li-integer": {"minValue": 5},
    "li-boolean": {},
    "li-color": {},
    "li-enum": {"dataProvider": item_list("one", "x" * 40)},
    "li-string-list": {"maxItems": 3},
    "li-numeric-list": {},
    "li-image": {},
}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_value_costs_in_step_with_its_text(plugin: str) -> None:
    found = project(value=(plugin, PLUGINS[plugin]))
    for shape in TEXTS.values():
        assert_linear(lambda n: checked(found, entry({"value": shape(n)}, textual=True)), 1_000)  # noqa: B023


def test_ids_that_differ_but_for_case_cost_in_step_with_their_number() -> None:
    def work(n: int) -> None:
        seen = Seen()
        words = ["".join(letters) for letters in islice(product("aA", repeat=14), n)]
        met = [seen.add(word, "f", line) for line, word in enumerate(words, 1)]
        assert met[0] is None and not any(each.exactly for each in met[1:] if each)
        again = seen.add(words[-1], "f", n + 1)
        assert again is not None and (again.line, again.exactly) == (n, True)

    assert_linear(work, 1_000)


@pytest.mark.parametrize("kind", ["mediaImage", "mediaVideo"])
def test_a_project_config_costs_in_step_with_its_handles(kind: str) -> None:
    def work(n: int) -> None:
        listed: list[Json] = [{"handle": f"abc{each}", "type": "li-text"} for each in range(n)]
        types: list[Json] = [{"handle": "image", "type": "mediaImage", "metadata": listed}]
        if kind == "mediaVideo":
            types = [{"handle": f"abc{each}", "type": kind} for each in range(n)]
        with suppress(ConfigError):
            config.from_json({"mediaTypes": types})

    assert_linear(work, 800)


@pytest.mark.parametrize("unit", ["a", ".a", "%20.", " ", "\\", "a.", "[", "@", "1.", "é"])
def test_an_address_costs_in_step_with_its_length(unit: str) -> None:
    assert_linear(lambda n: list(url_findings("https://e.com/" + unit * n, None)), 20_000)
    assert_linear(lambda n: list(url_findings("https://" + unit * n, None)), 20_000)
    assert_linear(lambda n: list(url_findings(unit * n, None)), 20_000)


@pytest.mark.parametrize("pattern", ["(" * 5_000, "a{99999999999}", "(?i:" * 2_000, "["])
def test_a_pattern_that_python_cannot_read_is_only_worth_a_warning(pattern: str) -> None:
    found = project(value=("li-text", {"regex": pattern}))
    assert any("cannot be checked here" in told for told in found.warnings)


@pytest.mark.parametrize("column", ["mediaType", "metadata.value"])
def test_long_cells_that_differ_in_every_row_are_not_kept(column: str) -> None:
    checker = Checker(project(value=("li-text", {"minLength": 3})))
    quick = quick_rows(checker, ("id", "url", "fileName", column), "m.csv")
    assert quick is not None
    tracemalloc.start()
    try:
        for line in range(2_000):
            cells = [f"id-{line}", "https://e.com/a.jpg", "A title", f"{line:01000}"]
            assert quick.passes(cells, line) == (column != "mediaType")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_500_000
