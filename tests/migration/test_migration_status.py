"""``status`` costs as much with 10,000 jobs as with ten: nothing is sorted, nothing read whole."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from archives import left_open, manifest, submit
from standin import StandIn, refused

from ldimport.database import in_memory
from ldimport.migration import Migration, StateStore
from ldimport.migration.store.schema import KIND, SQL
from ldimport.model import JobState


def plan_of(name: str) -> list[str]:
    """How SQLite answers a statement."""
    asked = dict.fromkeys(re.findall(r":(\w+)", SQL[name]))
    with closing(in_memory(KIND)) as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", asked)]


@pytest.mark.parametrize("name", ["jobs", "job_counts", "open_job_ids", "last_ended"])
def test_jobs_come_in_order_without_sorting(name: str) -> None:
    assert not [step for step in plan_of(name) if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", ["open_job_ids", "open"])
def test_what_open_batches_carry_is_not_read_to_list_them(name: str) -> None:
    assert any("USING COVERING INDEX batch_open" in step for step in plan_of(name))


def test_an_overview_has_the_jobs_to_show_and_counts_all(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=refused)
    submit(state, target, manifest(tmp_path, 6), batch_size=1)
    left_open(state, StandIn(), manifest(tmp_path, 2, "two.csv"), name="two", batch_size=1)
    found = state.overview(most=3)
    assert [(row.system_name, row.state) for row in found.jobs] == [
        ("two", JobState.STARTED),
        ("two", JobState.STARTED),
        ("archive", JobState.SUCCESS),
    ]
    assert (found.in_all, found.under_way, found.totals.rows) == (8, {"test:1": 2}, 8)
    failed = state.overview(most=4, failed=True)
    assert (len(failed.jobs), failed.in_all, failed.under_way) == (4, 6, {})
    last = Migration(state).last_ended(system_name="archive")
    assert last is not None and last.id == "job6"
