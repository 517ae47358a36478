"""``ldimport completion``: a completion script for a shell."""

from enum import StrEnum

from ldimport.cli.app import COMPLETE_VARIABLE, PROGRAM
from ldimport.cli.command import Command
from ldimport.cli.session import Session


class Shell(StrEnum):
    """Shells that typer writes scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(session: Session, shell: Shell) -> None:
    """Print a completion script; put it where your shell reads it."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = get_completion_script(
        prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
    session.out.file.write(f"{script}\n")


COMMAND = Command(
    completion,
    ("ldimport completion bash > ~/.local/share/bash-completion/completions/ldimport",),
    {0: "printed", 2: "no such shell"},
)
