"""Two state files of one archive, as from two laptops, become one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport import database
from ldimport.errors import StateFileError, UsageError
from ldimport.migration import StateStore
from ldimport.migration.batch import Envelope, Origin, Outgoing, Parcel
from ldimport.migration.model import Failed, Filter, OpenBatch, RunRow
from ldimport.migration.proof import Begun, Look, Proof
from ldimport.migration.quota import QuotaSeen
from ldimport.migration.store import care
from ldimport.migration.store import merging as module
from ldimport.migration.store.merging import TABLES, merge
from ldimport.migration.store.schema import KIND
from ldimport.model import Asset, Image, JobOptions, JobState, JobStatus, Result, Status

FIXTURE = Path(__file__).parent.parent / "fixtures" / "schema_4"
TARGET = "https://cms.example/api"
IDS = ("a", "b", "c", "d")


class Laptop:
    """One state file, and a clock of its own."""

    def __init__(self, path: Path, name: str, now: float) -> None:
        self.path, self.name, self.now, self.keys = path, name, now, 0

    def carry_out(self, steps: Sequence[tuple[str, int, str]]) -> None:
        with StateStore.open(self.path, write=True) as store:
            for step in steps:
                self.now += 10
                self.step(store, *step)

    def step(self, store: StateStore, what: str, which: int, ids: str) -> None:
        archive = store.archive(TARGET, "cms", "archiv" if which % 5 else "other")
        assert archive is not None
        if what == "send":
            self.keys += 1
            self.send(store, archive, ids, f"{self.name}-{self.keys}")
        elif what == "waive":
            held = [id_ for id_ in ids if id_ in store.known(archive, list(ids))]
            reason = "gone" if which % 2 else None
            store.waive(archive, Failed(everything=True), [held], reason, self.now)
        elif what == "look":
            self.look(store, archive, ids)
        elif batches := store.open_batches(TARGET):
            self.end(store, batches[which % len(batches)], what, which)

    def send(self, store: StateStore, archive: int, ids: str, key: str) -> None:
        images = tuple(
            Outgoing.of(Image(id_, f"https://old.example/{id_}.jpg", f"{key} {id_}", {}), n)
            for n, id_ in enumerate(dict.fromkeys(ids), 1)
        )
        parcel = Parcel(archive, Envelope("x"), JobOptions(), Origin("a.csv", "/a.csv"), images)
        batch = store.record_intent(parcel, key, self.now)
        if len(ids) != 2:
            store.accept(batch, f"job-{key}", self.now + 1)

    def look(self, store: StateStore, archive: int, ids: str) -> None:
        held = store.known(archive, list(ids))
        store.begin(archive, Begun(1, None, 1, False))
        looks = [Look(id_, self.now, Proof.MISSING, {}) for id_ in held]
        store.looked(archive, 1, looks, mark=len(ids) > 1)
        store.refused(TARGET, QuotaSeen(100, 50, self.now))
        store.record_run(RunRow(TARGET, None, "verify", self.now, self.now + 1, 0, 0, 0))

    def end(self, store: StateStore, batch: OpenBatch, what: str, which: int) -> None:
        if batch.job_id is None:
            if what == "refuse":
                store.refuse(batch, self.now)
            else:
                store.accept(batch, f"job-{batch.key}", self.now)
            return
        kinds = (Status.SUCCESS, Status.FAILED, Status.SKIPPED)
        results = tuple(
            self.result(each.image.id, kinds[(which + n) % 3])
            for n, each in enumerate(store.parcel(batch).images)
        )
        state = {"settle": JobState.SUCCESS, "lose": JobState.LOST}.get(what, JobState.FAILED)
        told = results if state is JobState.SUCCESS else ()
        store.settle(batch, JobStatus(batch.job_id, state, None, told), self.now)

    def result(self, id_: str, status: Status) -> Result:
        asset = Asset(f"m-{id_}", f"https://o/{id_}", f"https://n/{id_}", 1, 2, "image/png")
        failed = status is Status.FAILED
        return Result(id_, status, id_, "gone" if failed else None, None if failed else asset)


STEP = st.tuples(
    st.sampled_from(["send", "send", "settle", "settle", "settle", "lose", "fail", "refuse",
                     "waive", "look"]),
    st.integers(1, 9),
    st.text(alphabet="abcd", min_size=1, max_size=4),
)  # fmt: skip
STEPS = st.lists(STEP, max_size=12)


def rows(path: Path) -> dict[str, list[Any]]:
    """Every row, as it stands there."""
    with closing(sqlite3.connect(path)) as found:
        return {
            name: sorted(found.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in TABLES
        }


def states(path: Path) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What is known of each image, without the numbers of archives and batches."""
    query = """SELECT s.system_name, i.external_id, i.status, i.sent, i.waived_at IS NOT NULL,
        i.not_taken_over, o.key, l.key, i.pending, i.media_id, i.arrived,
        k.packed IS NOT NULL AND i.status IS 'failed'
      FROM image i JOIN scope s ON s.id = i.scope LEFT JOIN batch o ON o.id = i.open_batch
      LEFT JOIN batch l ON l.id = i.last_batch
      LEFT JOIN kept k ON k.scope = i.scope AND k.external_id = i.external_id"""
    with closing(sqlite3.connect(path)) as found:
        return {row[:2]: row[2:] for row in found.execute(query)}


def totals(path: Path) -> Any:
    with StateStore.open(path, write=False) as store:
        return {each.system_name: each.totals for each in store.archives()}


def batches(path: Path) -> list[Any]:
    query = "SELECT key, state, job_id, success, skipped, failed, finished_at FROM batch"
    with closing(sqlite3.connect(path)) as found:
        return sorted(found.execute(query).fetchall())


@pytest.mark.timeout(600)
@given(before=STEPS, one=STEPS, other=STEPS, ahead=st.sampled_from([0.0, 35.0, 500.0]))
def test_merging_is_right_whatever_happened(
    before: list[Any], one: list[Any], other: list[Any], ahead: float
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = folder / "first.sqlite"
        Laptop(first, "before", 1_000.0).carry_out(before)
        for each in "ab":
            shutil.copy(first, folder / f"{each}.sqlite")
        a, b = folder / "a.sqlite", folder / "b.sqlite"
        Laptop(a, "a", 2_000.0).carry_out(one)
        Laptop(b, "b", 2_003.0 + ahead).carry_out(other)
        itself = rows(a)
        shutil.copy(a, folder / "same.sqlite")
        assert merge(a, folder / "same.sqlite").nothing
        assert rows(a) == itself, "with itself nothing changes"
        shutil.copy(a, folder / "ab.sqlite")
        shutil.copy(b, folder / "ba.sqlite")
        there = rows(b)
        merge(folder / "ab.sqlite", b)
        merge(folder / "ba.sqlite", a)
        assert rows(b) == there, "the other one is only read"
        ab, ba = folder / "ab.sqlite", folder / "ba.sqlite"
        for each in (ab, ba):
            assert care.check(each).faults == ()
        assert totals(ab) == totals(ba), "whichever was first"
        assert batches(ab) == batches(ba)
        assert states(ab) == states(ba)
        once = rows(ab)
        assert merge(ab, b).nothing and rows(ab) == once, "once more changes nothing"
        assert merge(ab, a).nothing and rows(ab) == once
        ids = {row[:2] for file in (a, b) for row in states(file)}
        assert states(ab).keys() == ids


def test_no_table_is_forgotten() -> None:
    with closing(database.in_memory(KIND)) as whole:
        names = whole.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        assert {name for (name,) in names} == {*TABLES}


def test_settled_wins_over_open_and_the_later_outcome_counts(tmp_path: Path) -> None:
    a = Laptop(tmp_path / "a.sqlite", "a", 1_000.0)
    a.carry_out([("send", 1, "abc")])
    b = Laptop(tmp_path / "b.sqlite", "b", 2_000.0)
    shutil.copy(a.path, b.path)
    b.carry_out([("settle", 9, ""), ("send", 1, "b"), ("settle", 9, "")])
    found = merge(a.path, b.path)
    assert (found.batches, found.settled, found.added, found.updated) == (1, 1, 0, 3)
    known = states(a.path)
    assert [known["archiv", id_][0] for id_ in "abc"] == ["success", "success", "skipped"]
    with StateStore.open(a.path, write=False) as store:
        assert store.open_batches(TARGET) == []
        assert [len(each.attempts) for each in store.history("b")] == [2]


def test_an_image_that_is_open_in_both_belongs_to_the_batch_sent_last(tmp_path: Path) -> None:
    a = Laptop(tmp_path / "a.sqlite", "a", 1_000.0)
    a.carry_out([("send", 1, "abc")])
    b = Laptop(tmp_path / "b.sqlite", "b", 2_000.0)
    b.carry_out([("send", 1, "a")])
    assert merge(a.path, b.path).open_in_both == 1
    assert [states(a.path)["archiv", id_][4] for id_ in "abc"] == ["b-1", "a-1", "a-1"]
    a.carry_out([("settle", 8, "")])
    assert states(a.path)["archiv", "a"][4] == "b-1", "the older one decides nothing"
    assert care.check(a.path).sound


def test_what_became_of_an_image_is_told_in_the_order_of_time(tmp_path: Path) -> None:
    a, b = Laptop(tmp_path / "a.sqlite", "a", 2_000.0), Laptop(tmp_path / "b.sqlite", "b", 1_000.0)
    for each in (a, b):
        each.carry_out([("send", 1, "a"), ("settle", 9, "")])
    merge(a.path, b.path)
    with StateStore.open(a.path, write=False) as store:
        (found,) = store.history("a")
        assert [each.job_id for each in found.attempts] == ["job-b-1", "job-a-1"]
        times = [each.at for each in found.steps]
        assert times == sorted(times) and len(times) >= 4
        (contact,) = store.contacts(Filter())
        assert contact.job_id == "job-b-1", "the first contact was there"


def test_an_older_file_is_taken_through_a_copy(tmp_path: Path) -> None:
    old = Path(shutil.copy(FIXTURE / "state.sqlite", tmp_path / "old.sqlite"))
    before = old.read_bytes()
    found = merge(tmp_path / "new.sqlite", old)
    assert (found.archives, found.batches, found.added, found.engines) == (1, 3, 7, 1)
    assert old.read_bytes() == before and care.check(tmp_path / "new.sqlite").sound
    with (
        StateStore.open(tmp_path / "new.sqlite", write=False) as new,
        StateStore.open(old, write=False) as read,
    ):
        assert new.overview() == read.overview()
        assert list(new.results()) == list(read.results())


def test_whoever_is_killed_in_the_middle_leaves_it_as_it_was(tmp_path: Path) -> None:
    a, b = Laptop(tmp_path / "a.sqlite", "a", 1.0), Laptop(tmp_path / "b.sqlite", "b", 2.0)
    a.carry_out([("send", 1, "ab"), ("settle", 1, "")])
    b.carry_out([("send", 1, "bcd"), ("settle", 1, "")])
    before = rows(a.path)
    pid = os.fork()
    if not pid:
        module._Merge._sums = lambda self: os._exit(9)  # type: ignore[method-assign]
        merge(a.path, b.path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert rows(a.path) == before and care.check(a.path).sound
    assert merge(a.path, b.path).added == 2


def test_what_cannot_be_merged_is_said(tmp_path: Path) -> None:
    a, b = Laptop(tmp_path / "a.sqlite", "a", 1.0), Laptop(tmp_path / "b.sqlite", "b", 2.0)
    a.carry_out([("send", 1, "ab")])
    with pytest.raises(UsageError, match="itself"):
        merge(a.path, a.path)
    with pytest.raises(UsageError, match="no state file"):
        merge(a.path, tmp_path / "none.sqlite")
    shutil.copy(a.path, b.path)
    with closing(sqlite3.connect(b.path)) as file, file:
        file.execute("UPDATE scope SET system_name = 'strange'")
    before = rows(a.path)
    with pytest.raises(StateFileError, match="of another archive"):
        merge(a.path, b.path)
    assert rows(a.path) == before
    (tmp_path / "foreign").write_text(json.dumps({}))
    with pytest.raises(StateFileError, match="not an ldimport"):
        merge(a.path, tmp_path / "foreign")
