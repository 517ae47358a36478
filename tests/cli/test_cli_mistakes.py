"""Mistakes on the command line are told in our words, through all commands and options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ldimport.cli import main
from ldimport.cli.app import global_params, root
from ldimport.cli.command import COMMANDS, GROUPS

FOREIGN = re.compile(
    r"Input should|Value error|[Ii]nvalid value|env var|[Nn]o such|(?<!mark-)[Mm]issing|"
    r"argument\(s\)|unable to|Possible options|requires|does not take|not one of|pydantic|"
    r"Traceback|'--"
)
"""Words of typer and pydantic."""


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name in COMMANDS:
        command: Any = root().get_command(None, name)  # type: ignore[arg-type]
        if name in GROUPS:
            yield from (((name, inner), each) for inner, each in command.commands.items())
        else:
            yield (name,), command


ALL = [pytest.param(path, command, id=" ".join(path)) for path, command in commands()]
Refused = Callable[..., tuple[str, str]]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Refused:
    """A command line that ends with 2: its message and its hint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.csv").write_text("id,url,fileName\n")

    def run(*words: str) -> tuple[str, str]:
        capfd.readouterr()
        assert main(list(words)) == 2, words
        out, err = capfd.readouterr()
        assert not out, words
        message, hint = err.splitlines()
        assert message.startswith("✗ ") and hint.startswith("→ "), err
        assert not FOREIGN.search(err), err
        return message[2:], hint[2:]

    return run


def arguments(command: Any) -> list[str]:
    """As many words as it needs."""
    needed = [param for param in command.params
              if param.param_type_name == "argument" and param.required]  # fmt: skip
    return [str((*(param.type_descriptor.choices or ()), "a.csv")[0]) for param in needed]


@pytest.mark.parametrize(("path", "command"), ALL)
def test_every_option_says_what_it_needs(refused: Refused, path: Any, command: Any) -> None:
    for param in command.params:
        if param.param_type_name == "argument":
            continue
        for name in param.opts:
            if not (param.is_flag or param.count):
                message, _ = refused(*path, *arguments(command), name)
                assert message.startswith(f"{name} needs a value: "), message
            elif name.startswith("--"):
                message, _ = refused(*path, *arguments(command), f"{name}=3")
                assert message == f"{name} takes no value"


@pytest.mark.parametrize(("path", "command"), ALL)
def test_every_wrong_value_is_told_with_what_is_right(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, path: Any, command: Any
) -> None:
    for param in command.params:
        info = param.type_descriptor
        if param.param_type_name == "argument" or not (info.choices or info.annotation is int):
            continue
        name = max(param.opts, key=len)
        if not getattr(param, "count", False):
            wrong = ["x", "1.5", ""] + ["-1", "99999999"] * info.is_ranged
            for value in wrong:
                if value == "99999999" and info.parameter_info.max is None:
                    continue
                message, _ = refused(*path, *arguments(command), f"{name}={value}")
                shown = value or "''"
                assert message.startswith(f"{name} {shown} must be "), message
        with monkeypatch.context() as patch:
            patch.setenv(param.envvar, "x")
            message, _ = refused(*path, *arguments(command))
        assert message.startswith(f"{param.envvar} x must be "), message


@pytest.mark.parametrize(("path", "command"), ALL)
def test_unknown_options_and_further_words_are_named(
    refused: Refused, path: Any, command: Any
) -> None:
    words = " ".join(path)
    message, _ = refused(*path, *arguments(command), "--zzzzzz")
    assert message == f"ldimport {words} has no option --zzzzzz"
    message, _ = refused(*path, *arguments(command), "-z")
    assert message == f"ldimport {words} has no option -z"
    if not any(getattr(param, "nargs", 1) == -1 for param in command.params):
        message, _ = refused(*path, *(*arguments(command), *["a.csv"] * 3)[:3])
        assert message.startswith(f"ldimport {words} takes no further words: a.csv")


@pytest.mark.parametrize(("path", "command"), ALL)
def test_a_missing_argument_is_named(refused: Refused, path: Any, command: Any) -> None:
    if arguments(command):
        message, hint = refused(*path)
        assert message.startswith(f"ldimport {' '.join(path)} needs ")
        assert hint.startswith(f"ldimport {' '.join(path)} --help")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_names_its_commands(refused: Refused, group: str) -> None:
    message, _ = refused(group)
    assert message.startswith(f"ldimport {group} needs a command: ")
    message, hint = refused(group, "zzzzzz")
    assert message == f"ldimport {group} has no command “zzzzzz”" and "there are " in hint


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("submti a.csv", "did you mean submit?"),
        ("import a.csv", "did you mean submit?"),
        ("check a.csv", "did you mean validate?"),
        ("submit a.csv --url=x", "did you mean --target?"),
        ("submit a.csv --batchsize 3", "did you mean --batch-size?"),
        ("validate a.csv --separator ;", "did you mean --delimiter?"),
        ("results --errors", "did you mean --failed?"),
        ("results --format jsno", "did you mean json?"),
        ("retry --caus x", "did you mean --cause?"),
    ],
)
def test_what_is_meant_is_proposed(refused: Refused, words: str, hint: str) -> None:
    assert refused(*words.split(" "))[1] == hint


def test_no_dangerous_option_is_proposed_for_its_dashes(refused: Refused) -> None:
    assert "--yes" not in refused("submit", "a.csv", "--dry")[1]


def test_a_global_option_alone_asks_for_a_command(refused: Refused) -> None:
    for param in global_params():
        if (param.is_flag or param.count) and param.name != "json":
            message, _ = refused(max(param.opts, key=len))
            assert message.startswith("ldimport needs a command beside --")
