"""The same archive under another systemName would arrive twice: it is told before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standin import StandIn

from ldimport.migration import Migration, StateStore, SubmitOptions, Wishes, open_source
from ldimport.migration.events import Summary
from ldimport.migration.explanations import CODES
from ldimport.migration.source import Source
from ldimport.migration.store.schema import SQL
from ldimport.migration.validate import Validation
from ldimport.model import JobOptions, Severity
from ldimport.schema import config


def manifest(folder: Path, ids: range, name: str = "archive.csv") -> Path:
    rows = [f"id{n},https://img.example.com/{n}.jpg,Image {n}\n" for n in ids]
    path = folder / name
    path.write_text("id,url,fileName\n" + "".join(rows))
    return path


def source(path: Path, name: str, *, strict: bool = False) -> Source:
    wishes = Wishes(system_name=name, strict=strict)
    return open_source([path], config.default(), wishes, JobOptions(), local=True)


def planned(state: StateStore, path: Path, name: str, *, strict: bool = False) -> Validation:
    with source(path, name, strict=strict).manifest as opened:
        assert opened
        fresh = source(path, name, strict=strict)
        plan, found = Migration(state, StandIn()).plan(fresh)
        fresh.manifest.close()
    assert plan.new + plan.changed + plan.unchanged + plan.invalid == plan.entries
    return found


def kinds(found: Validation) -> dict[str, int]:
    return {kind.code: kind.rows for kind in found.kinds}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    """Knows ids 0 to 699 as “archiv”."""
    with StateStore.open(tmp_path / "state.sqlite", write=True) as opened:
        first = source(manifest(tmp_path, range(700), "first.csv"), "archiv")
        *_, last = Migration(opened, StandIn()).submit(first)
        first.manifest.close()
        assert isinstance(last, Summary) and last.totals.success == 700
        yield opened


def test_the_usual_name_is_not_worth_a_word(tmp_path: Path, state: StateStore) -> None:
    assert kinds(planned(state, manifest(tmp_path, range(700)), "archiv")) == {}


def test_ids_sent_under_another_name_are_told_with_their_lines(
    tmp_path: Path, state: StateStore
) -> None:
    found = planned(state, manifest(tmp_path, range(650, 1250)), "neu")
    assert kinds(found) == {"other-system-name": 50, "new-system-name": 1}
    assert found.invalid == 0 and found.warnings == 51
    first = next(each for each in found.problems if each.code == "other-system-name")
    assert (first.id, first.place.line, first.place.column) == ("id650", 2, 1)
    assert "“archiv”" in first.message
    name = next(each for each in found.problems if each.code == "new-system-name")
    assert "700 images" in name.message and '--system-name "archiv"' in name.hint


def test_another_archive_under_another_name_is_told_only_until_it_is_known(
    tmp_path: Path, state: StateStore
) -> None:
    path = manifest(tmp_path, range(2000, 2003))
    assert kinds(planned(state, path, "neu")) == {"new-system-name": 1}
    second = source(path, "neu")
    list(Migration(state, StandIn()).submit(second))
    second.manifest.close()
    assert kinds(planned(state, path, "neu")) == {}
    assert kinds(planned(state, path, "archiv")) == {"other-system-name": 3}


def test_strict_leaves_such_rows_out(tmp_path: Path, state: StateStore) -> None:
    path = manifest(tmp_path, range(699, 702))
    found = planned(state, path, "neu", strict=True)
    assert (found.entries, found.invalid) == (3, 1)
    assert {k.code: k.severity for k in found.kinds}["other-system-name"] is Severity.ERROR
    target, strict = StandIn(), source(path, "neu", strict=True)
    *_, last = Migration(state, target).submit(strict, SubmitOptions(valid_only=True))
    strict.manifest.close()
    assert [image.id for request in target.requests for image in request.images] == [
        "id700", "id701",
    ]  # fmt: skip
    assert isinstance(last, Summary) and last.totals.rows == 3


def test_another_target_is_another_world(tmp_path: Path, state: StateStore) -> None:
    fresh = source(manifest(tmp_path, range(3)), "neu")
    _, found = Migration(state, StandIn(identity="test:2")).plan(fresh)
    fresh.manifest.close()
    assert kinds(found) == {}


def test_the_findings_are_explained() -> None:
    assert {"other-system-name", "new-system-name"} <= set(CODES)


# -- ids that only look new -------------------------------------------------------------------


def planned_ids(state: StateStore, folder: Path, ids: list[str], *, strict: bool = False) -> Any:
    rows = [f"{id_},https://img.example.com/{id_}.jpg,Image\n" for id_ in ids]
    path = folder / "ids.csv"
    path.write_text("id,url,fileName\n" + "".join(rows))
    return planned(state, path, "archiv", strict=strict)


@pytest.mark.parametrize(
    ("sent", "new"), [("0042", "42"), ("42", "00042"), ("AB-c1", "ab-C1"), ("00Ab", "aB")]
)
def test_an_id_in_another_case_or_with_other_zeros_is_told(
    tmp_path: Path, sent: str, new: str
) -> None:
    with StateStore.open(tmp_path / "own.sqlite", write=True) as opened:
        path = tmp_path / "first.csv"
        path.write_text(f"id,url,fileName\n{sent},https://img.example.com/1.jpg,A\n")
        first = source(path, "archiv")
        list(Migration(opened, StandIn()).submit(first))
        first.manifest.close()
        assert kinds(planned_ids(opened, tmp_path, [sent, "7", f"1{new}"])) == {}
        found = planned_ids(opened, tmp_path, ["7", new])
        assert kinds(found) == {"id-alike": 1}
        assert sent in found.problems[0].message
        assert found.problems[0].place.line == 3
        strict = planned_ids(opened, tmp_path, ["7", new], strict=True)
        assert (strict.invalid, strict.valid) == (1, 1)


def test_what_strict_leaves_out_is_what_the_plan_left_out(
    tmp_path: Path, state: StateStore
) -> None:
    """Ids of one manifest that look alike are all sent: only what was sent before counts."""
    path = tmp_path / "ids.csv"
    ids = ["ID5", *(f"n{n}" for n in range(1_200)), *(f"00n{n}" for n in range(1_200))]
    rows = [f"{id_},https://img.example.com/{n}.jpg,Image {n}\n" for n, id_ in enumerate(ids)]
    path.write_text("id,url,fileName\n" + "".join(rows))
    opened = source(path, "archiv", strict=True)
    options = SubmitOptions(valid_only=True)
    *_, last = Migration(state, StandIn()).submit(opened, options)
    opened.manifest.close()
    assert isinstance(last, Summary)
    assert (last.totals.success, last.totals.invalid, last.totals.unsubmitted) == (2_400, 1, 0)


def test_ids_are_looked_up_by_an_index(state: StateStore) -> None:
    plan = state._connection.execute(
        "EXPLAIN QUERY PLAN " + SQL["alike"], ('["ID1"]', 1)
    ).fetchall()
    assert any("image_alike" in row["detail"] for row in plan)
