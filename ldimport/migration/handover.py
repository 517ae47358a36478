"""What is handed over at the end: the rows of the map, and which media entries are ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from ldimport.migration.model import ResultRow
from ldimport.model import Asset, Status
from ldimport.targets.base import Target

SKEW = 5.0
"""Seconds by which the clocks may differ where the target's ``Date`` was seen: it has whole ones,
and its answer takes time."""

LookUp = Callable[[str, str], Asset | None]
"""Asks the target for what it has under a systemName and an id."""


class Birth(StrEnum):
    """Whether a media entry is this migration's own."""

    CREATED = "created"
    UPDATED = "updated"
    UNKNOWN = "unknown"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Contact:
    """An image that the target has, with what is known of its beginning: the first outcome, and
    when its batch was written down; what ``verify`` found then (``ahead`` as
    ``Target.clock_ahead``); when the archive first sent anything whose end nobody knows."""

    target: str
    system_name: str
    external_id: str
    media_id: str
    first_status: Status | None
    first_at: float | None
    job_id: str | None
    found_id: str | None
    created_at: str | None
    ahead: float | None
    missing: bool
    lost_at: float | None


def with_library(rows: Iterable[ResultRow], look_up: LookUp) -> Iterator[ResultRow]:
    """Rows of the map, with size (and sides and type, where they are not known) as the library has
    them now; of another entry nothing is taken."""
    for row in rows:
        found = look_up(row.system_name, row.external_id) if row.media_id else None
        if found is None or found.media_id != row.media_id:
            yield row
            continue
        yield row._replace(
            size=row.size if found.size is None else found.size,
            width=row.width or found.width,
            height=row.height or found.height,
            mime_type=row.mime_type or found.mime_type,
        )


def looked_up(contact: Contact, target: Target, look_up: LookUp) -> Contact:
    """The same with what the library tells now."""
    found = look_up(contact.system_name, contact.external_id)
    if found is None:
        return replace(contact, missing=True)
    ahead = target.clock_ahead()
    return replace(
        contact,
        found_id=found.media_id,
        created_at=found.created_at,
        ahead=ahead,
        missing=False,
    )


def birth(contact: Contact, skew: float | None = None) -> Birth:
    """Whether this migration created a media entry. The API does not say; but what was there at the
    first contact (``skipped``), or was created before its first batch was written down, was there
    before. ``skew``: clocks may differ by so many seconds; None: as the target's ``Date`` told.
    In doubt it is unknown."""
    if contact.missing:
        return Birth.MISSING
    if contact.first_status is None or contact.first_at is None:
        return Birth.UNKNOWN
    if contact.first_status is Status.SKIPPED and contact.lost_at is None:
        return Birth.UPDATED
    created = moment(contact.created_at)
    if created is None or contact.found_id != contact.media_id:
        return Birth.UNKNOWN
    if contact.ahead is None and skew is None:
        return Birth.UNKNOWN
    doubt = SKEW if skew is None else skew
    after = created - (contact.ahead or 0.0) - contact.first_at
    if after >= (doubt if contact.ahead is None else 0.0):
        return Birth.UNKNOWN if contact.first_status is Status.SKIPPED else Birth.CREATED
    lost_before = contact.lost_at is not None and contact.lost_at < contact.first_at
    return Birth.UPDATED if after < -doubt and not lost_before else Birth.UNKNOWN


def moment(text: str | None) -> float | None:
    """An ISO 8601 time as Unix seconds, UTC where it names no zone; None for anything else."""
    try:
        found = datetime.fromisoformat(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
