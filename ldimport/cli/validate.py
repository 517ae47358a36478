"""``ldimport validate``: check a manifest against the project config; nothing is sent."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ldimport.cli import options
from ldimport.cli.output import check, documents, github
from ldimport.cli.reading import Wanted, opened_source, show_findings
from ldimport.cli.session import Session
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode

if TYPE_CHECKING:
    from ldimport.migration import Source
    from ldimport.migration.validate import Validation

MOST_PROBLEMS = 1_000
