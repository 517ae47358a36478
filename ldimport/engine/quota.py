"""The daily quota: a rolling 24 hours, counted in the step that accepts a batch (HTTP 429)."""

from __future__ import annotations

from ldimport.errors import QuotaError

WINDOW = 24 * 3600.0


def exceeded(limit: int, used: int, trying: int, retry_after: float | None) -> QuotaError:
    """Images created or given new bytes in the last 24 hours and those open in accepted jobs
    (``used``) with the ``trying`` of a batch exceed ``limit``; in ``retry_after`` seconds enough
    is free again, None where that depends on open ones."""
    return QuotaError(
        f"quota reached: {used:,} of {limit:,} images in the last 24 hours, and this batch has "
        f"{trying:,} more",
        limit=limit,
        used=used,
        trying=trying,
        retry_after=retry_after,
        hint="run the same command again later"
        if trying <= limit
        else "send smaller batches, or raise the daily limit",
    )
