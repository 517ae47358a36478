"""How a command describes itself; ``app`` turns this into typer commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ldimport.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the function that does it (None: all is well), examples and the exit codes
    it can end with: ``exits`` with what they mean here, those of ``also`` (and those without a
    text) with their common meaning."""

    name: str
    run: Callable[..., ExitCode | None]
    examples: Sequence[str]
    exits: Mapping[int, str] | Mapping[ExitCode, str]
    also: Sequence[int] = ()

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


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of ``ldimport --help``: known without importing the command's module."""

    name: str
    summary: str
    group: bool = False


LIST: dict[str, tuple[Listed, ...]] = {
    "Prepare": (
        Listed("init", "write an ldimport.yaml and an empty manifest to start from"),
        Listed("validate", "check a manifest against the project config"),
        Listed("plan", "show what a submit would send"),
        Listed("explain", "what became of an image, or what a problem code means"),
    ),
    "Move": (
        Listed("submit", "send what is new or changed, and wait for its results"),
        Listed("status", "all jobs, or one of them"),
        Listed("watch", "follow open jobs until they end"),
        Listed("results", "outcome of every image: media ids, reasons"),
        Listed("retry", "send failed images again"),
    ),
    "Engine": (
        Listed("serve", "serve the local engine over HTTP, with the same API"),
        Listed("worker", "carry out open images of a local engine"),
        Listed("token", "tokens for `serve`: create, list, revoke", group=True),
        Listed("engine", "look after a local engine: check, reset", group=True),
    ),
    "Care": (
        Listed("config", "settings: show, check, schema", group=True),
        Listed("completion", "print a completion script for your shell"),
    ),
}
"""Every command, in the order of a migration."""


def listed() -> dict[str, Listed]:
    """All commands by name."""
    return {each.name: each for section in LIST.values() for each in section}
