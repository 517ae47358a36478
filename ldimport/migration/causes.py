"""Why images failed: the cause of one result, and failures grouped by cause."""

from __future__ import annotations

from collections.abc import Iterable

from ldimport.causes import Cause, known_cause
from ldimport.migration.guess import guess
from ldimport.migration.model import CauseRow
from ldimport.model import Result, Status


def cause_of(result: Result) -> tuple[str, bool]:
    """Code of a failure's cause, and whether trying again without a change can help: as the
    target says, else guessed from its sentence."""
    if result.cause is None:
        guessed = guess(result.reason)
        return guessed.code, guessed.retryable
    known = known_cause(result.cause)
    ours = known.retryable if known is not None else False
    return result.cause, ours if result.retryable is None else result.retryable


def group_of(cause: str, reason: str | None) -> tuple[str, str | None]:
    """What failures have in common: their cause; for unknown causes also the sentence."""
    return (cause, reason) if cause == Cause.OTHER.code else (cause, None)


def meaning_of(cause: str, reason: str | None) -> str:
    """A group's text: what its cause means, or what the target said where that is all we know."""
    known = known_cause(cause)
    if known is None or known.cause is Cause.OTHER:
        return reason or Cause.OTHER.meaning
    return known.meaning


def causes_of(results: Iterable[Result]) -> tuple[CauseRow, ...]:
    """The failures of one job grouped by cause, the most frequent first. Rows are not known."""
    found: dict[tuple[str, str | None], CauseRow] = {}
    for result in results:
        if result.status is not Status.FAILED:
            continue
        cause, retryable = cause_of(result)
        group = group_of(cause, result.reason)
        row = found.get(group)
        examples = (*(row.examples if row else ()), (result.external_id, 0))[:2]
        text, images = meaning_of(cause, result.reason), row.images + 1 if row else 1
        found[group] = CauseRow(cause, text, images, retryable, examples)
    return tuple(sorted(found.values(), key=lambda row: -row.images))
