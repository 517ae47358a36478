"""Failed images as a manifest: the rows as they were sent, ready to be corrected and submitted
again. Columns that begin with ``_`` say what went wrong; reading skips them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ldimport.manifest.write import write_rows
from ldimport.migration.model import ResultRow
from ldimport.model import Json


def write_as_manifest(
    path: Path, rows: Iterable[tuple[Mapping[str, Json], ResultRow]], format: str | None = None
) -> int:
    """Write ``Migration.failed_rows`` to ``path``; ``format`` None goes by its ending. Returns
    how many there were. Raises as ``manifest.write.write_rows`` does."""
    return write_rows(path, _marked(rows), format)


def _marked(
    rows: Iterable[tuple[Mapping[str, Json], ResultRow]],
) -> Iterator[Mapping[str, Json]]:
    for original, row in rows:
        yield {
            **original,
            "_reason": row.reason,
            "_cause": row.cause,
            "_retryable": row.retryable,
            "_attempts": row.attempts,
            "_jobId": row.job_id,
        }
