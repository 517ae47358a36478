"""Listings come in the order of an index: the first rows of many cost no more than of few."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from ldimport import database
from ldimport.migration.model import Filter
from ldimport.migration.store.queries import StateStore, _listing
from ldimport.migration.store.schema import KIND
from ldimport.model import Status

ONE = {"target": "https://edit.example", "system_name": "archive"}
LISTINGS = [
    ("rows", Filter()), ("rows", Filter(**ONE)), ("first_failed", Filter(**ONE)),
    *(("rows", Filter(status=each)) for each in Status),
    ("rows", Filter(waived=True)), ("rows", Filter(status=Status.FAILED, waived=True)),
    ("rows", Filter(cause="origin-404")), ("first_failed", Filter(cause="origin-404")),
    ("rows", Filter(status=Status.FAILED, cause="origin-404")),
    ("rows", Filter(status=Status.FAILED, host="img.example")),
    ("originals", Filter(status=Status.FAILED)),
]  # fmt: skip


def plan(query: str, which: Filter) -> Iterator[str]:
    with closing(database.in_memory(KIND)) as connection:
        found = connection.execute(f"EXPLAIN QUERY PLAN {_listing(query, which)}", asdict(which))
        yield from (row[3] for row in found)


@pytest.mark.parametrize(("query", "which"), LISTINGS)
def test_a_listing_sorts_nothing_and_finds_images_by_an_index(query: str, which: Filter) -> None:
    steps = list(plan(query, which))
    assert not [step for step in steps if "TEMP B-TREE" in step]
    images = [step for step in steps if "image" in step.split()[1:2]]
    index = "image_cause" if which.cause else None
    assert images and all(step.startswith("SEARCH image USING INDEX image_") for step in images)
    assert index is None or any(index in step for step in images)


@pytest.mark.parametrize("query", ["rows", "first_failed"])
def test_of_one_job_only_its_own_images_are_looked_at(query: str) -> None:
    for which in (Filter(job="one"), Filter(job="one", status=Status.FAILED)):
        steps = list(plan(query, which))
        assert "SEARCH image USING PRIMARY KEY (scope=? AND external_id=?)" in steps
        assert not [step for step in steps if step.startswith(("SCAN image", "SCAN i "))]


def test_the_first_rows_are_there_before_the_last_are_read(tmp_path: Path) -> None:
    with StateStore.open(tmp_path / "state.sqlite", write=True) as state:
        state.archive("https://edit.example", "edit", "archive")
        connection = state._connection
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
            "INSERT INTO image (scope, external_id, status, row, source_url) "
            "SELECT 1, printf('%08x', i * 2654435761 % 4294967296), 'success', i, 'u' FROM n"
        )
        connection.execute("UPDATE image SET width = 'wide' WHERE row = 2500")
        rows = state.results()
        assert [next(rows).row for _ in range(1000)] == [*range(1, 1001)]
