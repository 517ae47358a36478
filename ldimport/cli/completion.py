"""``ldimport completion``: a completion script for a shell."""

from enum import StrEnum
from importlib import resources

from ldimport.cli.command import Command
from ldimport.cli.session import Session


class Shell(StrEnum):
    """Shells that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(session: Session, shell: Shell) -> None:
    """Print a completion script; put it where your shell reads it."""
    scripts = resources.files(__package__).joinpath("scripts")
    session.out.file.write(scripts.joinpath(f"completion.{shell.value}").read_text("utf-8"))


COMMAND = Command(
    completion,
    (
        "ldimport completion bash > ~/.local/share/bash-completion/completions/ldimport",
        "ldimport completion zsh > ~/.zfunc/_ldimport      a folder of fpath",
        "ldimport completion fish > ~/.config/fish/completions/ldimport.fish",
        "ldimport completion powershell >> $PROFILE",
    ),
    {0: "printed", 2: "no such shell"},
)
