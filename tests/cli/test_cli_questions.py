"""Questions: yes, no, and what is neither."""

from __future__ import annotations

import io
import sys

import pytest

from ldimport.cli.questions import says_yes


@pytest.mark.parametrize(
    ("typed", "yes"),
    [("y\n", True), ("YES\n", True), ("ja\n", True), ("oui \n", True), ("\n", False),
     ("n\n", False), ("Nein\n", False), ("perhaps\ny\n", True), ("1\n\n", False)],
)  # fmt: skip
def test_a_question_is_asked_until_it_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, yes: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert says_yes("Use it?") is yes
    out, err = capsys.readouterr()
    asked = typed.count("\n")
    assert (out, err.count("Use it? [y/N]: ")) == ("", asked)
    assert err.count("answer y or n\n") == asked - 1


def test_nobody_there_to_answer_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("perhaps\n"))
    with pytest.raises(KeyboardInterrupt):
        says_yes("Use it?")
