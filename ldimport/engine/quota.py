"""The daily quota: a rolling 24 hours, counted before a batch is accepted (seed, 429)."""

from __future__ import annotations

import sqlite3

from ldimport.engine import jobs, library
from ldimport.errors import QuotaError

WINDOW = 24 * 3600.0


def check(connection: sqlite3.Connection, limit: int, trying: int, now: float) -> None:
    """Raise QuotaError when images created or given new bytes in the last 24 hours, those open
    in accepted jobs and the ``trying`` of this batch exceed ``limit`` (0: no limit)."""
    if limit <= 0:
        return
    since = now - WINDOW
    stored = library.stored_since(connection, since)
    used = stored + jobs.open_images(connection)
    excess = used + trying - limit
    if excess <= 0:
        return
    frees = library.nth_stored_since(connection, since, excess) if excess <= stored else None
    raise QuotaError(
        f"quota reached: {used:,} of {limit:,} images in the last 24 hours, and this batch has "
        f"{trying:,} more",
        limit=limit,
        used=used,
        trying=trying,
        retry_after=None if frees is None else max(0.0, frees + WINDOW - now),
        hint="run the same command again later"
        if trying <= limit
        else "send smaller batches, or raise the daily limit",
    )
