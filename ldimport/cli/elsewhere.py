"""What the state file knows of other targets than the one in force. ``watch`` and ``retry`` work at
one target; where all there is to do lies at another, to say “nothing to do” would be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldimport.cli.output.text import counted
from ldimport.errors import UsageError
from ldimport.migration import Migration

if TYPE_CHECKING:
    from ldimport.migration.model import JobRow
    from ldimport.targets.base import Target


def refuse_to_watch(migration: Migration, ids: Sequence[str]) -> None:
    """Raises UsageError when what is to be followed is under way, but none of it here."""
    target = migration.target
    away = [
        job
        for job in migration.jobs(ids or None)
        if not job.state.finished and job.target != target.identity
    ]
    if not away or (not ids and migration.has_open_jobs()):
        return
    verb = "is" if len(away) == 1 else "are"
    raise UsageError(
        f"{counted(len(away), 'job')} {verb} under way at {_place(away[0].target)}, none at "
        f"{_here(target)}",
        hint=f"ldimport watch {_option(away[0].target)}",
        code="other-target",
    )


def refuse_to_retry(migration: Migration) -> None:
    """Raises UsageError when images have failed, but none of them here."""
    target = migration.target
    scopes = [each for each in migration.overview().scopes if each.totals.failed]
    if not scopes or any(each.target == target.identity for each in scopes):
        return
    failed = sum(each.totals.failed for each in scopes)
    raise UsageError(
        f"{counted(failed, 'image')} failed at {_place(scopes[0].target)}, none at {_here(target)}",
        hint=f"ldimport retry {_option(scopes[0].target)}",
        code="other-target",
    )


def refuse_to_ask(job: JobRow, target: Target) -> None:
    """Raises UsageError when a job is not at this target, which would call it lost."""
    if job.target != target.identity:
        raise UsageError(f"the job is at {_place(job.target)}, not at {_here(target)}")


def _place(identity: str) -> str:
    return "another local engine" if _embedded(identity) else identity


def _here(target: Target) -> str:
    return "this local engine" if target.local else target.identity


def _option(identity: str) -> str:
    """How to name that target; the folder of an engine stands in no state file."""
    return "--target embedded --engine FOLDER" if _embedded(identity) else f"--target {identity}"


def _embedded(identity: str) -> bool:
    return identity.startswith("embedded:")
