"""``ldimport validate``: check a manifest against the project config; nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ldimport.cli import options
from ldimport.errors import ExitCode

MOST_PROBLEMS = 1_000


def validate(
    context: typer.Context,
    paths: options.Paths,
    problems: Annotated[
        Path | None,
        typer.Option("--problems", metavar="FILE", help="every problem: .csv .jsonl .json .sarif"),
    ] = None,
    write_valid: Annotated[
        Path | None, typer.Option("--write-valid", metavar="FILE", help="the good rows")
    ] = None,
    write_invalid: Annotated[
        Path | None,
        typer.Option("--write-invalid", metavar="FILE", help="the others, with their problems"),
    ] = None,
    lenient: options.Lenient = False,
    strict: options.Strict = False,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="show warnings too, not only their number")
    ] = False,
    max_problems: Annotated[
        int, typer.Option("--max-problems", min=0, metavar="N", help="problems in --json")
    ] = MOST_PROBLEMS,
    base_url: options.BaseUrl = None,
    maps: options.Map = None,
    sets: options.Set = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    junitxml: options.JunitXml = None,
    code_quality: Annotated[
        Path | None, typer.Option("--code-quality", metavar="FILE", help="a GitLab report")
    ] = None,
    no_annotations: options.NoAnnotations = False,
) -> ExitCode:
    """Check a manifest against the project config. Nothing is sent."""
