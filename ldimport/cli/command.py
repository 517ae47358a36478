"""How a command describes itself; ``app`` turns this into typer commands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ldimport.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the function that does it (None: all is well), examples and the exit codes
    it can end with: ``exits`` with what they mean here, those of ``also`` (and those without a
    text) with their common meaning."""

    run: Callable[..., ExitCode | None]
    examples: Sequence[str]
    exits: Mapping[int, str] | Mapping[ExitCode, str] = field(default_factory=dict)
    also: Sequence[int] = ()

    @property
    def name(self) -> str:
        """The word that calls it: the function's name."""
        return self.run.__name__.rstrip("_")

    @property
    def codes(self) -> dict[ExitCode, str]:
        """Every exit code with its meaning."""
        own = dict(self.exits.items())
        codes = map(ExitCode, sorted({*own, *self.also}))
        return {code: own.get(code) or code.meaning for code in codes}

    def epilog(self) -> str:
        """Examples and exit codes, as they stand at the end of ``--help``."""
        lines = ["Example:" if len(self.examples) == 1 else "Examples:"]
        lines += [f"  {example}" for example in self.examples]
        lines += ["", "Exit codes:"]
        lines += [f"  {code:<4}{meaning}" for code, meaning in self.codes.items()]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one word: ``config show``."""

    name: str
    help: str
    commands: Sequence[Command]


LIST: Mapping[str, Mapping[str, str]] = {
    "Prepare": {
        "init": "write an ldimport.yaml to start from, with a mapping of your manifest",
        "validate": "check a manifest against the project config",
        "plan": "show what a submit would send",
        "explain": "what became of an image, or what a code means",
    },
    "Move": {
        "submit": "send what is new or changed, and wait for its results",
        "status": "all jobs, or one of them",
        "watch": "follow open jobs until they end",
        "listen": "hear of ended jobs by webhook, for `watch` and `submit`",
        "results": "outcome of every image: media ids, reasons",
        "retry": "send failed images again",
        "waive": "accept failures that nobody can mend",
        "verify": "look images up at the target, and compare",
        "report": "what became of an archive, in one file to sign",
        "export": "hand over: map, redirects, undo",
    },
    "Engine": {
        "serve": "serve the local engine over HTTP, with the same API and as pages",
        "ui": "look at archives, jobs and the library in a browser; read only",
        "worker": "carry out open images of a local engine",
        "webhooks": "notifications of a local engine: list, resend",
        "token": "tokens for `serve`: create, list, revoke",
        "engine": "look after a local engine: check, reset",
    },
    "Care": {
        "state": "the state file: info, check, backup, merge, rebuild",
        "config": "settings: show, check, schema",
        "schema": "what `--json` prints, as JSON Schema",
        "completion": "print a completion script for your shell",
    },
}
"""Every command with its line of ``ldimport --help``, in the order of a migration: known without
importing the command's module."""
COMMANDS = [name for section in LIST.values() for name in section]
GROUPS = ("export", "webhooks", "token", "engine", "state", "config")
