"""What people write for another word: every word that is proposed exists."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from ldimport.causes import known_cause
from ldimport.cli.app import root
from ldimport.cli.command import COMMANDS, GROUPS
from ldimport.errors import did_you_mean, near
from ldimport.schema.config import from_json
from ldimport.schema.properties import PLUGINS

MEANINGS = tomllib.loads(resources.files("ldimport").joinpath("meanings.toml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("li-number", "li-integer"),
        ("number", "li-integer"),
        ("date", "li-date"),
        ("Date", "li-date"),
        ("li-timestamp", "li-datetime"),
        ("li-string", "li-text"),
        ("string", "li-text"),
        ("boolean", "li-boolean"),
        ("li-select", "li-enum"),
        ("enum", "li-enum"),
        ("tags", "li-string-list"),
        ("li-crops", "li-named-crops"),
    ],
)
def test_a_confused_property_type_is_told_by_its_meaning(written: str, meant: str) -> None:
    body = [{"handle": "image", "type": "mediaImage",
             "metadata": [{"handle": "desk", "type": written}]}]  # fmt: skip
    (warning,) = from_json({"mediaTypes": body}).warnings
    assert warning.endswith(f"did you mean {meant}?")


def test_every_word_that_is_proposed_exists() -> None:
    options = {
        name.removeprefix("--")
        for word in set(COMMANDS) - set(GROUPS)
        for param in root().get_command(None, word).params  # type: ignore
        for name in param.opts
    }
    options.add("dry-run")  # proposed where a command has it
    assert set(MEANINGS["property-types"].values()) <= {
        handle for handle, plugin in PLUGINS.items() if plugin.media
    }
    assert set(MEANINGS["commands"].values()) <= set(COMMANDS)
    assert set(MEANINGS["options"].values()) <= options
    assert all(known_cause(code) for code in MEANINGS["causes"].values())


@pytest.mark.parametrize("kind", list(MEANINGS))
def test_a_table_is_read_without_regard_to_case(kind: str) -> None:
    for word, meant in MEANINGS[kind].items():
        assert word == word.casefold(), word
        assert near(word.upper(), [meant], kind) == meant


def test_only_what_is_there_is_proposed() -> None:
    assert did_you_mean("li-number", ["li-text"], "no idea", "property-types") == "no idea"
