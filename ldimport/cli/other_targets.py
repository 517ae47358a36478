"""What the state file knows of other targets than the one in force. ``watch`` and ``retry`` work at
one target; where all there is to do lies at another, to say “nothing to do” would be wrong."""

from __future__ import annotations

from collections.abc import Sequence

from ldimport.cli.output.text import counted
from ldimport.errors import UsageError
from ldimport.migration import Migration
from ldimport.migration.model import JobRow
from ldimport.targets.base import Target


def refuse_to_watch(migration: Migration, ids: Sequence[str]) -> None:
    """Raises UsageError when what is to be followed is under way, but none of it here."""
    here = migration.target.identity
    away = [
        job for job in migration.jobs(ids or None) if not job.state.finished and job.target != here
    ]
    if away and (ids or not migration.has_open_jobs()):
        verb = "is" if len(away) == 1 else "are"
        what = f"{counted(len(away), 'job')} {verb} under way"
        raise _other_target("watch", what, away[0].target, migration.target)


def refuse_to_retry(migration: Migration) -> None:
    """Raises UsageError when images have failed, but none of them here."""
    here = migration.target.identity
    scopes = [each for each in migration.overview().scopes if each.totals.failed]
    if scopes and all(each.target != here for each in scopes):
        failed = sum(each.totals.failed for each in scopes)
        what = f"{counted(failed, 'image')} failed"
        raise _other_target("retry", what, scopes[0].target, migration.target)


def refuse_to_ask(job: JobRow, target: Target) -> None:
    """Raises UsageError when a job is not at this target, which would call it lost."""
    if job.target != target.identity:
        raise UsageError(f"the job is at {_place(job.target)}, not at {_here(target)}")


def _other_target(command: str, what: str, there: str, target: Target) -> UsageError:
    """The folder of an engine stands in no state file, so it has to be named."""
    option = "embedded --engine FOLDER" if _embedded(there) else there
    return UsageError(
        f"{what} at {_place(there)}, none at {_here(target)}",
        hint=f"ldimport {command} --target {option}",
        code="other-target",
    )


def _place(identity: str) -> str:
    return "another local engine" if _embedded(identity) else identity


def _here(target: Target) -> str:
    return "this local engine" if target.local else target.identity


def _embedded(identity: str) -> bool:
    return identity.startswith("embedded:")
