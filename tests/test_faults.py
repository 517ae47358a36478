"""What parsers say of JSON and YAML never reaches a person as it is."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ldimport.faults import json_fault, yaml_fault

PARSERS = re.compile(
    r"Expecting|Invalid|Extra data|Unterminated|delimiter|char \d|context|scanning|token|expected "
    r"|did not|found |indicator|constructor|Exceeds",
    re.IGNORECASE,
)
JSON = (
    "{a:1}", '{"a" 1}', '{"a":1 "b":2}', "[1,]", '{"a":}', "", '{"a":"x', '"a\nb"', '"\\x"',
    '"\\u12"', "[1] 2", '{"a":1,}', '{"a":1', "nope", "[1 2]", "{'a':1}", "1" * 5_000,
    "\ufeff[]",
)  # fmt: skip
YAML = (
    "a: b: c", "a: @x", "a: `x", "a: %x", "a\nb: c", "- a\nb: c", "a: [1, 2", 'a: "x', "a: {b: 1",
    "a: *x", "a: &", "a: !x y", "a: - b", "a:\n\t- b", "\tb: c", 'a: "\\q"', "a: 1\n b: 2",
    "a: 1\n---\nb: 2", "a: [1, 2}", "? [a]\n: b", "a: \x07", 'key: "a" b', "a: 'it's'", "a: |x",
    "&a a: &a b", "%TAG", "a: !!int x", "{a: 1}: 2", "<<: 1", "a: ]", "a: 2020-13-45",
)  # fmt: skip


@pytest.mark.parametrize("text", JSON)
def test_json_is_told_in_our_words_with_its_place(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        json.loads(text)
    told = json_fault(caught.value)
    assert not PARSERS.search(told) and "cannot be read" not in told
    assert told.startswith("line ") or len(text) == 5_000
    assert told.endswith(json_fault(caught.value, place=False))


@pytest.mark.parametrize("text", YAML)
def test_yaml_is_told_in_our_words(text: str) -> None:
    for loader in {yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)}:
        with pytest.raises((yaml.YAMLError, ValueError)) as caught:
            yaml.load(text, loader)
        told = yaml_fault(caught.value)
        assert not PARSERS.search(told) and "cannot be read" not in told, told


def test_what_nobody_thought_of_is_told_all_the_same() -> None:
    assert yaml_fault(yaml.YAMLError("quux")) == "it cannot be read as YAML"
    assert json_fault(json.JSONDecodeError("quux", "[", 0)) == "line 1, column 1: it cannot be read"
    assert json_fault(ValueError("a key stands twice")) == "a key stands twice"
