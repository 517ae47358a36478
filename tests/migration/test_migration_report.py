"""What a report says of an archive is what its images, jobs and looks are, counted anew."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from report_archive import TARGET, Told, record

from ldimport.errors import StateFileError
from ldimport.migration import Migration, StateStore
from ldimport.migration.proof import Begun, Look, Proof
from ldimport.migration.report import (
    DAY,
    HOUR,
    MOST_COLUMNS,
    MOST_HOSTS,
    SIDES,
    ArchiveReport,
    HostImages,
    SampleOptions,
    bins,
    digest_of,
    width_of,
    without_query,
)
from ldimport.model import Status

LOST = ("origin-503", "the origin answered 503")


def reported(path: Path, **options: int) -> ArchiveReport:
    """The report on the one archive in a state file."""
    with Migration.open(path, write=False) as migration:
        (archive,) = migration.archives()
        return migration.report(archive, SampleOptions(**options))


def test_every_image_is_in_one_state_and_counted_where_it_belongs(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [
        Told("1", "https://a.example/1.jpg?sig=1", size=(240, 100)),
        Told("2", "https://user:pw@a.example/2.jpg", size=(250, 100)),
        Told("3", "http://b.example:8080/3.jpg", Status.SKIPPED, size=(499, 9_000)),
        Told("4", "https://b.example?4", Status.FAILED, "", *LOST),
        Told("5", "images/5.jpg", Status.FAILED, "", "not-an-image", "https://x/?k=1 is text/html"),
        Told("6", "images/6.jpg", None),
    ])  # fmt: skip
    with StateStore.open(path, write=True) as store:
        store._connection.execute(
            "UPDATE image SET waived_at = 1, waived_because = 'old' WHERE external_id = '5'"
        )
        store._connection.execute("UPDATE scope SET failed = 1, waived = 1")
    found = reported(path)
    sums = found.totals
    assert (sums.success, sums.skipped, sums.failed, sums.waived, sums.pending) == (2, 1, 1, 1, 1)
    assert sums.rows == 6 and found.sums_agree
    hosts = {each.host: (each.images, each.failed) for each in found.images.hosts}
    assert hosts == {
        "": (2, 1), "a.example": (2, 0), "b.example:8080": (1, 0), "b.example": (1, 1),
    }  # fmt: skip
    assert found.images.hosts_in_all == 4 and found.images.other_hosts.images == 0
    assert [(each.least, each.images) for each in found.images.sides if each.images] == [
        (0, 1), (250, 1), (8_000, 1),
    ]  # fmt: skip
    assert dict(found.images.types) == {"image/jpeg": 3}
    assert [row.external_id for row in found.failures] == ["4"]
    assert found.failures[0].source_url == "https://b.example"
    assert [(each.reason, each.images) for each in found.waivers] == [("old", 1)]
    assert [row.cause for row in found.causes] == ["origin-503"]
    assert found.course.jobs == 2 and found.thumbnails is None and found.sizes is None


def test_sums_that_are_kept_wrong_are_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told("1"), Told("2")])
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE scope SET success = 3")
    found = reported(path)
    assert found.totals.success == 2 and not found.sums_agree


def test_a_state_that_was_never_written_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told("1")])
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE image SET status = 'perhaps'")
    with pytest.raises(StateFileError, match="damaged"):
        reported(path)


def test_of_many_origins_the_largest_are_named_and_the_rest_is_a_sum(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    images = [
        Told(f"{host}-{n}", f"https://h{host:03}.example/{n}.jpg")
        for host in range(40)
        for n in range(1 + host)
    ]
    random.Random(3).shuffle(images)
    record(path, images)
    sums = reported(path).images
    assert [each.images for each in sums.hosts] == list(range(40, 40 - MOST_HOSTS, -1))
    assert sums.hosts_in_all == 40
    rest = len(images) - sum(each.images for each in sums.hosts)
    assert sums.other_hosts == HostImages("", rest, 0)


@pytest.mark.parametrize(("of", "most"), [(7, 3), (100, 10), (5, 5), (5, 9), (1, 1), (101, 100)])
def test_a_sample_is_as_large_as_asked_and_evenly_spread(
    tmp_path: Path, of: int, most: int
) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told(f"{n * 7919 % 1000:03}") for n in range(of)])
    with StateStore.open(path, write=False) as store:
        found = store.even_sample(1, Status.SUCCESS, of, most)
    rows = [each.row for each in found]
    assert len(rows) == min(of, most) and rows == sorted(set(rows)) and rows[0] == 1
    gaps = {b - a for a, b in zip(rows, [*rows[1:], of + 1], strict=True)}
    assert max(gaps) - min(gaps) <= 1


def test_a_sample_holds_skipped_images_by_their_share(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told(str(n), status=Status.SKIPPED if n % 4 else Status.SUCCESS)
                  for n in range(100)])  # fmt: skip
    with StateStore.open(path, write=False) as store:
        totals = store.image_sums(1).totals
        from ldimport.migration.report import _sample

        found = _sample(store, 1, None, totals, SampleOptions(20))
    assert found is not None and len(found) == 20
    assert sum(int(each.external_id) % 4 == 0 for each in found) == 5


def test_the_course_is_by_the_hour_then_by_days(tmp_path: Path) -> None:
    path, start = tmp_path / "s.sqlite", 1_790_000_000.0
    for n, hours in enumerate((0, 1, 5)):
        record(path, [Told(f"{n}-{k}") for k in range(n + 1)], at=start + hours * HOUR)
    course = reported(path).course
    assert course.each == HOUR and [(each.n, each.images) for each in course.ends] == [
        (0, 1), (1, 2), (5, 3),
    ]  # fmt: skip
    assert course.since <= start + 60 < course.since + HOUR
    record(path, [Told("late")], at=start + 10 * DAY)
    assert reported(path).course.each == DAY
    assert width_of(3 * DAY) == HOUR and width_of(3 * DAY + 1) == DAY
    for days in (4, 119, 120, 121, 3_000):
        assert days * DAY / width_of(days * DAY) <= MOST_COLUMNS


def test_a_look_counts_with_the_sizes_that_it_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told(str(n)) for n in range(4)])
    with StateStore.open(path, write=True) as store:
        store.begin(1, Begun(2, 3, 7, False))
        looks = [
            Look("0", 5.0, Proof.SAME, {}, size=999),
            Look("1", 6.0, Proof.DIFFERS, {}, size=1_000),
            Look("2", 7.0, Proof.MISSING, {}),
        ]
        store.looked(1, 2, looks, mark=False)
        store.looked(1, 1, [Look("3", 1.0, Proof.MISSING, {})], mark=False)
    found = reported(path)
    assert found.looks is not None and found.looks.checked == 3
    assert (found.looks.same, found.looks.differs, found.looks.missing) == (1, 1, 1)
    assert (found.looks.first_at, found.looks.last_at) == (5.0, 7.0)
    assert found.sizes is not None
    assert [(each.least, each.images) for each in found.sizes] == [(0, 1), (1_000, 1)]


def test_what_is_asked_at_one_moment_hears_nothing_of_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told("1")])
    with StateStore.open(path, write=False) as store:
        with store.one_moment():
            assert store.image_sums(1).totals.rows == 1
            record(path, [Told("2")], at=1_790_001_000.0)
            assert store.image_sums(1).totals.rows == 1
            assert store.archives()[0].totals.rows == 1
        assert store.image_sums(1).totals.rows == 2


def test_a_manifest_is_known_by_its_digest_as_it_lies_there(tmp_path: Path) -> None:
    manifest = tmp_path / "a.csv"
    manifest.write_text("id,url\n")
    record(tmp_path / "s.sqlite", [Told("1")], manifest=str(manifest))
    ((digest,),) = (each.digests for each in reported(tmp_path / "s.sqlite").manifests)
    assert digest.sha256 == hashlib.sha256(b"id,url\n").hexdigest() and digest.name == "a.csv"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for other in (pipe, tmp_path, tmp_path / "none"):
        assert digest_of(other).sha256 is None


def test_bins_have_no_gap_between_them() -> None:
    found = bins({2: 5, 4: 1}, SIDES)
    assert [(each.least, each.below, each.images) for each in found] == [
        (500, 1_000, 5), (1_000, 2_000, 0), (2_000, 4_000, 1),
    ]  # fmt: skip
    assert bins({len(SIDES): 1}, SIDES)[0].below is None and bins({}, SIDES) == ()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://a.example/b.jpg?sig=1#x", "https://a.example/b.jpg"),
        ("GET https://a.example/b?c=1 said 503, why? see https://b.example/#d",
         "GET https://a.example/b said 503, why? see https://b.example/"),
        ("what? no address", "what? no address"),
    ],
)  # fmt: skip
def test_queries_of_urls_are_cut(text: str, left: str) -> None:
    assert without_query(text) == left


def test_the_archive_is_the_one_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    record(path, [Told("1"), Told("2")])
    record(path, [Told("1")], name="other")
    with Migration.open(path, write=False) as migration:
        rows = {each.system_name: migration.report(each, SampleOptions()).totals.rows
                for each in migration.archives(target=TARGET)}  # fmt: skip
    assert rows == {"archiv": 2, "other": 1}
