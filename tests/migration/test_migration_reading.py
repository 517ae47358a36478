"""How often rows are read, rendered and looked up: counted, since a clock would tell less."""

from __future__ import annotations

import csv
import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import Time, manifest, planned, source, submit, summary
from hypothesis import given
from hypothesis import strategies as st
from standin import StandIn, arrived, refused

from ldimport.manifest.csv import Table
from ldimport.migration import StateStore
from ldimport.migration.account import Account, SubmitOptions
from ldimport.migration.batch import Outgoing
from ldimport.migration.plan import survey
from ldimport.migration.reading import Picked, Reading, ValidRow
from ldimport.migration.store.packing import unpack_one
from ldimport.model import Image, Status
from ldimport.targets.base import BatchLimits


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Rows that tables yield, images made ready, passes begun."""
    counts: Counter[str] = Counter()
    rows: Callable[..., Iterator[Any]] = Table.rows
    of: Callable[..., Outgoing] = Outgoing.of

    def counting(table: Table, *given: Any, **named: Any) -> Iterator[Any]:
        counts["passes"] += 1
        for row in rows(table, *given, **named):
            counts["rows"] += 1
            yield row

    def making(*given: Any, **named: Any) -> Outgoing:
        counts["made"] += 1
        return of(*given, **named)

    monkeypatch.setattr(Table, "rows", counting)
    monkeypatch.setattr(Outgoing, "of", making)
    return counts


def edit(path: Path, row: int) -> None:
    path.write_text(path.read_text().replace(f"Image {row},", f"Other {row},"))


def test_rows_that_arrived_are_read_once_and_never_made_into_images(
    state: StateStore, tmp_path: Path, counted: Counter[str]
) -> None:
    target, path = StandIn(), manifest(tmp_path, 2_000)
    submit(state, target, path)
    counted.clear()
    assert planned(submit(state, target, path)).plan.unchanged == 2_000
    opened = 1  # to see whether there is a row at all
    assert counted == {"passes": 1 + opened, "rows": 2_000 + opened}


def test_one_edited_row_at_the_end_costs_no_second_pass(
    state: StateStore, tmp_path: Path, counted: Counter[str]
) -> None:
    target, path = StandIn(), manifest(tmp_path, 2_000)
    submit(state, target, path)
    edit(path, 2_000)
    counted.clear()
    submit(state, target, path)
    assert target.sent_ids()[2_000:] == ["id2000"]
    assert counted["rows"] <= 2_001 and counted["made"] <= 2


def test_a_second_pass_makes_only_what_is_sent_and_ends_behind_it(
    state: StateStore, tmp_path: Path, counted: Counter[str]
) -> None:
    path = manifest(tmp_path, 6_000, caption="c" * 400)
    submit(state, StandIn(), path, limit=4_000)
    counted.clear()
    target = StandIn()
    submit(state, target, path, limit=1_500)
    assert target.sent_ids() == [f"id{n}" for n in range(4_001, 5_501)]
    assert counted["rows"] <= 6_000 + 5_502
    assert counted["made"] <= 2_000 + 1_500


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_is_sent_is_what_was_picked_in_any_format(
    state: StateStore, tmp_path: Path, ending: str
) -> None:
    path, rows = tmp_path / f"m.{ending}", 3_000

    def write(edited: set[int]) -> None:
        names = (f"{n}" + "x" * 500 * (n in edited) for n in range(rows))
        entries = [
            {"id": f"id{n}", "url": f"https://img.example/{n}.jpg", "fileName": name}
            for n, name in enumerate(names)
        ]
        with path.open("w", newline="") as file:
            if ending == "jsonl":
                file.writelines(json.dumps(each) + "\n" for each in entries)
            else:
                writer = csv.DictWriter(file, entries[0].keys())
                writer.writeheader()
                writer.writerows(entries)

    write(set())
    submit(state, StandIn(), path)
    edited = {*range(5, 1_000), *range(1_500, 2_999, 3)}
    write(edited)
    target = StandIn()
    end = summary(submit(state, target, path))
    assert target.sent_ids() == [f"id{n}" for n in sorted(edited)]
    assert end.totals.success == rows


class Ready:
    """Stands in for a reading whose rows are images."""

    def outgoing(self, row: ValidRow) -> Outgoing:
        assert row.outgoing is not None
        return row.outgoing


def pick(picked: Picked, number: int, size: int) -> None:
    each = Outgoing(Image("", "", "", {}), number, number, b"", b"", b"", {})
    picked.add(Ready(), ValidRow("", "m.csv", number, number, each, []), size)  # type: ignore[arg-type]


@given(st.lists(st.booleans(), max_size=60), st.booleans())
def test_picked_rows_come_again(wanted: list[bool], large: bool) -> None:
    picked, rows = Picked(), range(1, len(wanted) + 1)
    for row in rows:
        if wanted[row - 1]:
            pick(picked, row, 300_000 if large else 1)
    expected = [row for row in rows if wanted[row - 1]]
    seen = []
    assert list(picked.of((seen.append(row) or row for row in rows), int)) == expected  # type: ignore[func-returns-value]
    assert len(seen) <= (expected[-1] + 1 if expected else 1)


def test_runs_of_picked_rows_cost_as_much_as_one() -> None:
    picked = Picked()
    for row in range(1, 100_000):
        pick(picked, row, 300)
    assert len(picked._runs) == 2 and not picked._kept


def test_the_quick_way_makes_the_same_images(tmp_path: Path) -> None:
    """Of every row that it takes at all."""
    path = tmp_path / "m.csv"
    rows = [("a", "Title", "cap"), ("b", " Blank", ""), ("c", "Ü", "x\ny"), ("d", "=1", "'=2")]
    lines = [[id_, f"https://a.example/{id_}.jpg", title, text, ""] for id_, title, text in rows]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["id", "url", "fileName", "metadata.caption", "_note"], *lines])
    opened = source(path)
    with opened.manifest:
        reading = Reading(opened, opened.checker())
        quick = [(reading.fingerprint(row), reading.outgoing(row)) for row in reading]
        checker = opened.checker()
        checked = (opened.checked(checker, entry) for entry in opened.manifest.entries())
        assert quick == [(each.fingerprint, each) for each in map(opened.outgoing, checked)]


def test_a_row_written_otherwise_is_unchanged(state: StateStore, tmp_path: Path) -> None:
    target, path = StandIn(), manifest(tmp_path, 3)
    submit(state, target, path)
    rows = list(csv.reader(path.read_text().splitlines()))
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL).writerows(
            [*row, "new"] if n else [*row, "_more"] for n, row in enumerate(rows)
        )
    assert planned(submit(state, target, path)).plan.unchanged == 3
    entries = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    json_lines = tmp_path / "m.jsonl"
    json_lines.write_text("".join(json.dumps(each) + "\n" for each in entries))
    assert planned(submit(state, target, json_lines)).plan.unchanged == 3


def test_every_verdict_is_the_same_with_and_without_a_look_at_what_arrived(
    state: StateStore, tmp_path: Path
) -> None:
    """What is settled is told apart in one query; all else is compared field by field."""
    path, time = manifest(tmp_path, 6), Time()
    target = StandIn(answer=lambda i: {
        "id2": refused(i), "id3": arrived(i, Status.SKIPPED)
    }.get(i, arrived(i)))  # fmt: skip
    submit(state, target, path, time=time, limit=5)
    edit(path, 4)
    opened = source(path)
    with opened.manifest:
        plan = survey(Account(state, target, time.clock), opened, SubmitOptions()).plan
    assert (plan.unchanged, plan.failed, plan.changed, plan.new) == (3, 1, 1, 1)
    assert plan.entries == 6


def test_recording_asks_by_images_a_few_times_a_batch(
    state: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements of a run do not grow with the images of a batch."""
    counts: Counter[int] = Counter()
    for n, images in enumerate((10, 100)):
        path = manifest(tmp_path, images, name=f"{n}.csv")
        state._connection.set_trace_callback(lambda sql, images=images: counts.update([images]))
        submit(state, StandIn(limits=BatchLimits(images, 10_000_000)), path, name=f"archive{n}")
        state._connection.set_trace_callback(None)
    one_by_one = 3  # an image as it begins, as it ends, and its attempt
    assert counts[100] - counts[10] <= one_by_one * 90 + 10


def test_batches_kept_before_digests_were_left_out_are_read() -> None:
    outgoing = Outgoing.of(Image("a", "https://a.b/c.jpg", "A", {"n": 1}), 3, 4, {"id": "a"})
    old = {
        "image": json.loads(outgoing.body), "row": 3, "line": 4, "original": {"id": "a"},
        "fingerprint": "ab" * 32, "content": outgoing.content.hex(),
    }  # fmt: skip
    kept = unpack_one(zlib.compress(json.dumps(old).encode()))
    assert kept == outgoing._replace(fingerprint=bytes.fromhex("ab" * 32))


def test_references_hold_though_writers_do_not_check_them(
    state: StateStore, tmp_path: Path
) -> None:
    submit(state, StandIn(), manifest(tmp_path, 20))
    with sqlite3.connect(state.path) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
