"""Options that stand on every command, and those that several share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ldimport.model import Integrity

SETTINGS = {
    "profile": "profile",
    "config": "config",
    "state": "state",
    "target": "target",
    "api_version": "api_version",
    "engine": "engine",
    "project_config": "project_config",
    "system_name": "system_name",
    "insecure": "insecure",
    "allow_host": "allow_hosts",
    "base_url": "base_url",
    "webhook": "webhook",
    "context_json": "context",
}
"""Parameters that ``settings`` decides, by its own names: only those given on the command line
are handed to it, since it reads environment and files itself."""


Profile = Annotated[
    str | None, typer.Option("--profile", "-p", metavar="NAME", help="profile of ldimport.yaml")
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="config file instead of the one found"),
]
State = Annotated[Path | None, typer.Option("--state", metavar="FILE", help="state file to use")]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="URL", help="Livingdocs server, or `embedded`"),
]
ApiVersion = Annotated[
    str | None,
    typer.Option("--api-version", metavar="V", help="v1, or a dated version such as 2026-07"),
]
Engine = Annotated[
    Path | None,
    typer.Option("--engine", metavar="FOLDER", help="folder of the local engine"),
]
ProjectConfig = Annotated[
    Path | None,
    typer.Option("--project-config", metavar="FILE", help="project config to check against"),
]
SystemName = Annotated[
    str | None,
    typer.Option("--system-name", metavar="NAME", help="name of this archive, for ever"),
]
Insecure = Annotated[
    bool,
    typer.Option("--insecure", help="do not check certificates; anybody can then read along"),
]
Json = Annotated[bool, typer.Option("--json", help="results as JSON on standard output")]
Quiet = Annotated[
    int, typer.Option("--quiet", "-q", count=True, help="no progress; twice: errors only")
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="each job and failure as a line")
]
LogFile = Annotated[
    Path | None,
    typer.Option("--log-file", metavar="FILE", help="append all events as JSON Lines"),
]
NoColor = Annotated[bool, typer.Option("--no-color", help="no colours")]


OF_THE_MANIFEST = frozenset(
    ("profile", "config", "state", "target", "engine", "project_config", "system_name", "base_url",
     "maps", "sets", "encoding", "delimiter", "lenient", "strict")
)  # fmt: skip
"""Options that ``validate``, ``plan`` and ``submit`` of one manifest have in common."""
OF_THE_RUN = frozenset(
    ("valid_only", "allow_host", "integrity", "batch_size", "webhook", "context", "yes")
)
"""Options that a run needs again when it goes on."""


def common(
    profile: Profile = None,
    config: Config = None,
    state: State = None,
    target: Target = None,
    api_version: ApiVersion = None,
    engine: Engine = None,
    project_config: ProjectConfig = None,
    system_name: SystemName = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = 0,
    verbose: Verbose = 0,
    log_file: LogFile = None,
    no_color: NoColor = False,
) -> None:
    """The global options; see ``session.GlobalOptions``."""


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="MANIFEST...",
        help="CSV, JSON, JSON Lines or YAML (also .gz); a folder, a pattern, or - for standard "
        "input",
    ),
]
Lenient = Annotated[
    bool,
    typer.Option("--lenient", help="what Livingdocs checks only at publishing is a warning"),
]
Strict = Annotated[bool, typer.Option("--strict", help="warnings count as errors")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="take a field from this column"),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="a value for rows that have none"),
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="encoding of the manifest")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="CHAR", help="delimiter of a CSV manifest")
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="relative urls are resolved against it"),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST[:PORT]",
        help="let the local engine fetch from this private host",
    ),
]
IntegrityDepth = Annotated[
    Integrity | None,
    typer.Option("--integrity", help="decode every image, or only walk its structure"),
]
Deadline = Annotated[
    str | None,
    typer.Option("--deadline", metavar="TIME", help="end in order after 90s, 30m, 2h; exit 8"),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="return after the last batch is accepted")]
FailOn = Annotated[
    str | None,
    typer.Option("--fail-on", metavar="any|N|N%", help="stop when so many images failed; exit 11"),
]
Webhook = Annotated[
    str | None, typer.Option("--webhook", metavar="URL", help="called when a job ends")
]
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="JSON|@FILE", help="sent along with the webhook"),
]
JunitXml = Annotated[
    Path | None, typer.Option("--junitxml", metavar="FILE", help="write a JUnit report")
]
NoAnnotations = Annotated[
    bool, typer.Option("--no-annotations", help="no annotations in GitHub Actions")
]


def complete_jobs(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the newest jobs in the state file, read-only; nothing when there is none."""
    import os
    from itertools import islice
    from pathlib import Path

    from ldimport.errors import LdimportError
    from ldimport.migration import Migration
    from ldimport.settings import load

    try:
        state_file = load({}, environ=os.environ, cwd=Path.cwd()).state
        with Migration.open(state_file, write=False) as migration:
            return [row.id for row in islice(migration.jobs(), 50)]
    except (LdimportError, OSError):  # a completion has nothing to say about errors
        return []


def read_seconds(option: str, text: str | None) -> float | None:
    """A span like ``90``, ``90s``, ``30m``, ``2h``, ``1d`` in seconds. Raises UsageError."""
    if text is None:
        return None
    import re

    from ldimport.errors import UsageError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|)", text.strip())
    if found is None:
        raise UsageError(
            f"{option} {text} is not a time", hint=f"like {option} 90s, {option} 30m, {option} 2h"
        )
    factor = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}[found[2]]
    return float(found[1]) * factor
