"""``ldimport completion``: a completion script for a shell."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ldimport.cli.session import Session
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode

COMPLETE_VARIABLE = "_LDIMPORT_COMPLETE"


class Shell(StrEnum):
    """Shells that typer writes scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="which shell")],
) -> ExitCode:
    """Print a completion script; put it where your shell reads it."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    session = Session.of(context)
    script = get_completion_script(
        prog_name="ldimport", complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
    session.out.file.write(f"{script}\n")
    return ExitCode.OK


def complete_jobs(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the newest jobs in the state file, read-only; nothing when there is none."""
    import os  # fmt: skip
    from pathlib import Path

    from ldimport.errors import LdimportError
    from ldimport.migration import StateFile, results
    from ldimport.settings import load

    try:
        state_file = load({}, environ=os.environ, cwd=Path.cwd()).state
        with StateFile.open(state_file, write=False) as state:
            return [row.id for row in results.overview(state).jobs[:50]]
    except (LdimportError, OSError):  # a completion has nothing to say about errors
        return []


COMMAND = Command(
    "completion",
    completion,
    ("ldimport completion bash > ~/.local/share/bash-completion/completions/ldimport",),
    {ExitCode.OK: "printed", ExitCode.USAGE: "no such shell"},
)
