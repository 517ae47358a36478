"""Why images failed: the cause of one result, and failures grouped by cause.

Livingdocs tells a reason and no cause. What its sentences have in common with ours is recognised
here; everything else is ``Cause.OTHER``, and groups by the sentence itself. Results of our own
engine and of ``ldimport serve`` carry their cause, and are never guessed. State files of schema 1
kept sentences only: their causes are guessed once, when the file is migrated.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from ldimport.causes import Cause, KnownCause, known_cause
from ldimport.migration.model import CauseRow
from ldimport.model import Result, Status

_SIGNS: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"\borigin answered (?P<status>\d{3})\b", Cause.ORIGIN_STATUS),
        (r"\bnot allowed\b.*--allow-host|address .*not allowed", Cause.ADDRESS_NOT_ALLOWED),
        (r"\btimed? ?out\b|\btook longer than\b|\bno answer within\b", Cause.TIMEOUT),
        (r"\bcould not (connect|be reached)|connection refused", Cause.UNREACHABLE),
        (r"connection (was )?(reset|closed)", Cause.CONNECTION_LOST),
        (r"\bname .*(not be resolved|unknown)|\bDNS\b", Cause.DNS),
        (r"\bcould not upload image\b", Cause.COULD_NOT_UPLOAD),
        (r"\bpixels\b.*\blimit\b|\btoo many pixels\b", Cause.TOO_MANY_PIXELS),
        (r"\bframes\b.*\blimit\b", Cause.TOO_MANY_FRAMES),
        (r"\bbytes\b.*\blimit\b|\blarger than\b", Cause.TOO_MANY_BYTES),
        (r"\bcut off\b|\btruncated\b", Cause.TRUNCATED),
        (r"\binvalid metadata\b|\bmetadata validation\b", Cause.INVALID_METADATA),
        (r"\bnot an image\b", Cause.NOT_AN_IMAGE),
        (r"\b(?P<format>[a-z0-9]+) images are not accepted\b", Cause.FORMAT_NOT_ACCEPTED),
        (r"\b(?P<format>[a-z0-9]+) is not accepted: png\b", Cause.FORMAT_NOT_ACCEPTED),
        (r"\bredirects on and on\b", Cause.TOO_MANY_REDIRECTS),
        (r"\bfile encoded, although asked not to\b", Cause.ENCODED_BODY),
        (r"\bno such file\b", Cause.NO_SUCH_FILE),
        (r"\bgave no result\b", Cause.NO_RESULT),
    )
)


def guess(reason: str | None) -> KnownCause:
    """The cause that a sentence seems to tell of; ``Cause.OTHER`` where it tells of none."""
    if not (reason or "").strip():
        return Cause.NO_REASON.with_()
    for pattern, cause in _SIGNS:
        if found := pattern.search((reason or "")[:1_000]):
            return cause.with_(**{key: value.lower() for key, value in found.groupdict().items()})
    return Cause.OTHER.with_()


def cause_of(result: Result) -> tuple[str, bool]:
    """Code of a failure's cause, and whether trying again without a change can help: as the
    target says, else guessed from its sentence."""
    if result.cause is None:
        guessed = guess(result.reason)
        return guessed.code, guessed.retryable
    known = known_cause(result.cause)
    ours = known.retryable if known is not None else False
    return result.cause, ours if result.retryable is None else result.retryable


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
        group = (cause, result.reason if cause == Cause.OTHER.code else None)
        row = found.get(group)
        examples = (*(row.examples if row else ()), (result.external_id, 0))[:2]
        text, images = meaning_of(cause, result.reason), row.images + 1 if row else 1
        found[group] = CauseRow(cause, text, images, retryable, examples)
    return tuple(sorted(found.values(), key=lambda row: -row.images))


def joined(*groups: Iterable[CauseRow]) -> tuple[CauseRow, ...]:
    """Groups of failures from several places as one list, the most frequent first."""
    found: dict[tuple[str, str], CauseRow] = {}
    for row in chain(*groups):
        before = found.get(key := (row.cause, row.reason))
        if before is not None:
            examples = (*before.examples, *row.examples)[:2]
            row = replace(before, images=before.images + row.images, examples=examples)
        found[key] = row
    return tuple(sorted(found.values(), key=lambda row: -row.images))
