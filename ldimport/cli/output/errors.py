"""Errors as people read them (ux.md 3.5): what, where and why, what to do next."""

from __future__ import annotations

from ldimport.cli.output.screen import BAD, Screen
from ldimport.errors import LdimportError


def show(screen: Screen, error: LdimportError, hints: tuple[tuple[str, str], ...] = ()) -> None:
    """The error on a screen; ``hints`` are further commands that help."""
    screen.line(("✗", BAD), f" {error.message}", indent=2)
    advice = [*((split(error.hint),) if error.hint else ()), *hints]
    if error.facts:
        screen.blank()
        screen.facts(error.facts)
        if advice:
            screen.blank()
    for command, why in advice:
        advise(screen, command, why)


def split(hint: str) -> tuple[str, str]:
    """A hint ``command   why`` in its two parts."""
    command, _, why = hint.partition("   ")
    return command, why


def advise(screen: Screen, command: str, why: str = "") -> None:
    """A command to copy stays whole; advice in words is wrapped."""
    if command.startswith(("ldimport ", "pip ")):
        screen.hint(command, why)
    else:
        screen.line("→ ", command, *(("   ", why) if why else ()), indent=2)
