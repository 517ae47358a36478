"""Options that stand on every command, and those that several share.

A command's function takes a dataclass of options where they stand together; ``app`` spells them
out, one option a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Option

from ldimport.errors import LdimportError, UsageError
from ldimport.model import Integrity

if TYPE_CHECKING:
    from ldimport.settings import Settings

Text = str | None
File = Path | None


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """Options that stand on every command, as given or from their variables."""

    profile: Annotated[
        Text, Option("--profile", "-p", metavar="NAME", help="profile of ldimport.yaml")
    ] = None
    config: Annotated[File, Option(metavar="FILE", help="config file instead of the one found")] = (
        None
    )
    state: Annotated[File, Option(metavar="FILE", help="state file to use")] = None
    target: Annotated[Text, Option(metavar="URL", help="Livingdocs server, or `embedded`")] = None
    api_version: Annotated[
        Text, Option(metavar="V", help="v1, or a dated version such as 2026-07")
    ] = None
    engine: Annotated[File, Option(metavar="FOLDER", help="folder of the local engine")] = None
    project_config: Annotated[
        File, Option(metavar="FILE", help="project config to check against")
    ] = None
    system_name: Annotated[Text, Option(metavar="NAME", help="name of this archive, for ever")] = (
        None
    )
    insecure: Annotated[
        bool,
        Option("--insecure", help="do not check certificates; anybody can then read along"),
    ] = False
    json: Annotated[bool, Option("--json", help="results as JSON on standard output")] = False
    quiet: Annotated[
        int, Option("--quiet", "-q", count=True, help="no progress; twice: errors only")
    ] = 0
    verbose: Annotated[
        int, Option("--verbose", "-v", count=True, help="each job and failure as a line")
    ] = 0
    log_file: Annotated[File, Option(metavar="FILE", help="append all events as JSON Lines")] = None
    no_color: Annotated[bool, Option("--no-color", help="no colours")] = False


Paths = Annotated[
    list[str],
    Argument(
        metavar="MANIFEST...",
        help="CSV, JSON, JSON Lines or YAML (also .gz); a folder, a pattern, or - for standard "
        "input",
    ),
]


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How a manifest is read and checked."""

    base_url: Annotated[
        Text, Option(metavar="URL", help="relative urls are resolved against it")
    ] = None
    lenient: Annotated[
        bool, Option("--lenient", help="what Livingdocs checks only at publishing is a warning")
    ] = False
    strict: Annotated[bool, Option("--strict", help="warnings count as errors")] = False
    maps: Annotated[
        list[str] | None,
        Option("--map", metavar="FIELD=COLUMN", help="take a field from this column"),
    ] = None
    sets: Annotated[
        list[str] | None,
        Option("--set", metavar="FIELD=VALUE", help="a value for rows that have none"),
    ] = None
    encoding: Annotated[Text, Option(metavar="NAME", help="encoding of the manifest")] = None
    delimiter: Annotated[Text, Option(metavar="CHAR", help="delimiter of a CSV manifest")] = None


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the local engine treats images."""

    allow_hosts: Annotated[
        list[str] | None,
        Option(
            "--allow-host",
            metavar="HOST[:PORT]",
            help="let the local engine fetch from this private host",
        ),
    ] = None
    integrity: Annotated[
        Integrity | None, Option(help="decode every image, or only walk its structure")
    ] = None

    def refuse_on_http(self, settings: Settings, given: Mapping[str, object]) -> None:
        """On an HTTP target the server decides. ``given``: settings of the command line."""
        wanted = {"--allow-host": "allow_hosts" in given, "--integrity": self.integrity}
        for name in wanted if not settings.embedded else ():
            if wanted[name]:
                raise UsageError(
                    f"{name} is for the local engine; at {settings.target} the server decides",
                    hint=f"leave {name} out",
                )


Deadline = Annotated[Text, Option(metavar="TIME", help="end in order after 90s, 30m, 2h; exit 8")]
JunitXml = Annotated[File, Option("--junitxml", metavar="FILE", help="write a JUnit report")]


@dataclass(frozen=True, slots=True)
class EndOptions:
    """When a run that sends images stops by itself."""

    no_wait: Annotated[
        bool, Option("--no-wait", help="return after the last batch is accepted")
    ] = False
    deadline: Deadline = None
    fail_on: Annotated[
        Text, Option(metavar="any|N|N%", help="stop when so many images failed; exit 11")
    ] = None

    def read(self) -> dict[str, Any]:
        """As the use cases take them. Raises UsageError."""
        return {
            "wait": not self.no_wait,
            "deadline": read_seconds("--deadline", self.deadline),
            "fail_on": failure_limit(self.fail_on),
        }


OF_THE_MANIFEST = {
    *("profile", "config", "state", "target", "engine", "project_config", "system_name"),
    *(each.name for each in fields(ReadingOptions)),
}
"""Options that ``validate``, ``plan`` and ``submit`` of one manifest have in common."""
OF_THE_RUN = {
    *("valid_only", "allow_hosts", "integrity", "batch_size", "webhook", "context", "yes"),
}
"""Options that a run needs again when it goes on."""


def own(name: str, command: str) -> str:
    """The variable of an option whose name means another thing in another command."""
    return f"LDIMPORT_{command}_{name}".upper()


def complete_jobs(context: Context, incomplete: str) -> list[str]:
    """Ids of the newest jobs in the state file, read-only; nothing when there is none."""
    import os
    from itertools import islice

    from ldimport.migration import Migration
    from ldimport.settings import load

    try:
        state_file = load({}, environ=os.environ, cwd=Path.cwd()).state
        with Migration.open(state_file, write=False) as migration:
            return [row.id for row in islice(migration.jobs(), 50)]
    except (LdimportError, OSError):  # a completion has nothing to say about errors
        return []


_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def read_seconds(option: str, text: str | None) -> float | None:
    """A span like ``90``, ``90s``, ``30m``, ``2h``, ``1d`` in seconds. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|)", text.strip())
    if found is None:
        raise UsageError(
            f"{option} {text} is not a time", hint=f"like {option} 90s, {option} 30m, {option} 2h"
        )
    return float(found[1]) * _SECONDS[found[2]]


def failure_limit(text: str | None) -> Callable[[int, int], bool] | None:
    """``--fail-on any|N|N%`` as a question about (failed, tried). A share counts only once 100
    images were tried, since one in three says nothing. Raises UsageError."""
    if text is None:
        return None
    word = text.strip().lower()
    if word == "any":
        return lambda failed, tried: failed > 0
    number, share = word.removesuffix("%"), word.endswith("%")
    try:
        limit = float(number) if share else int(number)
    except ValueError:
        limit = -1
    if limit < 0 or (share and limit > 100):
        raise UsageError(f"--fail-on {text}: must be any, a number of images, or a share like 5%")
    if share:
        return lambda failed, tried: tried >= 100 and failed * 100 > limit * tried
    return lambda failed, tried: failed >= max(1, limit)
