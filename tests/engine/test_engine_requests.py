"""What is accepted and what is refused as a whole; keys, quota, status, patches."""

from __future__ import annotations

import math
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from origins import Clock, Open, Origin, image, picture, request

from ldimport.engine import Engine
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.errors import (
    ConflictError,
    InvalidRequestError,
    KeyConflictError,
    NotFoundError,
    QuotaError,
    UsageError,
)
from ldimport.model import Counts, ImportRequest, JobOptions, JobState, Json

URL = "https://pictures.example/a.jpg"


def test_job_ids_cannot_be_guessed(engine: Engine) -> None:
    ids = [engine.submit(request(image("1", URL))) for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(re.fullmatch(r"[a-z0-9]{12,}", job_id) for job_id in ids)


def test_batches_that_come_in_at_once_are_each_entered_whole_and_in_order(
    engine: Engine,
) -> None:
    sizes = [1, 99, 100, 101, 250, 400, 2, 200]
    batches = [[image(f"{size}-{n:03}", URL) for n in range(size)] for size in sizes]
    with ThreadPoolExecutor(len(sizes)) as pool:
        ids = [*pool.map(lambda images: engine.submit(request(*images)), batches)]
    sql = "SELECT external_id FROM item JOIN job ON job = n WHERE job.id = ? ORDER BY item.id"
    with closing(Catalogue(engine.folder)) as catalogue:
        for images, job_id in zip(batches, ids, strict=True):
            assert [row[0] for row in catalogue.rows(sql, job_id)] == [each.id for each in images]


def test_an_unknown_job_is_lost(engine: Engine) -> None:
    status = engine.status("098shjhv9")
    assert (status.state, status.finished) == (JobState.LOST, True)
    assert engine.progress("098shjhv9") is None


def test_an_open_job_says_since_when_in_utc(open_engine: Open, clock: Clock) -> None:
    clock.at = 1_577_886_312.9
    engine = open_engine(now=clock)
    status = engine.status(engine.submit(request(image("1", URL))))
    assert (status.state, status.started_at) == (JobState.STARTED, "2020-01-01 13:45:12")
    assert status.results == ()
    assert engine.progress(status.id) == Counts(pending=1)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (ImportRequest("", (image("1", URL),)), "systemName"),
        (ImportRequest("archive", ()), "images"),
        (request(image("", URL)), "images.0.id"),
        (request(image("1", "data:image/png;base64,AA")), "images.0.url"),
        (request(image("1", "ftp://pictures.example/a")), "images.0.url"),
        (request(image("1", "photos/a.jpg")), "images.0.url"),
        (request(image("1", URL, file_name="")), "images.0.fileName"),
        (request(image("1", URL, media_type="movie")), "images.0.mediaType"),
        (request(image("1", URL), image("1", URL)), "images.1.id"),
        (request(image("1", URL), webhook="nonsense"), "webhook"),
        (request(image("1", URL), context={"x": "y" * 9000}), "context"),
        (request(image("1", URL, metadata={"caption": math.nan})), ""),
        (request(image("\ud800", URL)), "images.0.id"),
    ],
)
def test_a_wrong_request_is_refused_as_a_whole(
    engine: Engine, wrong: ImportRequest, path: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.submit(wrong)
    assert path in caught.value.details
    assert engine.jobs() == []
    assert not engine.has_open()


def test_an_unknown_media_type_is_told_what_there_is(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.submit(request(image("1", URL, media_type="movie")))
    assert "photo" in caught.value.details["images.0.mediaType"]


def test_nonsense_in_allow_hosts_is_refused_at_submit(engine: Engine) -> None:
    with pytest.raises(UsageError):
        engine.submit(request(image("1", URL)), options=JobOptions(allow_hosts=("http://x/",)))
    assert engine.jobs() == []


def test_the_same_key_and_request_give_the_same_job(engine: Engine) -> None:
    first = engine.submit(request(image("1", URL)), key="k1")
    assert engine.submit(request(image("1", URL)), key="k1") == first
    assert engine.submit(request(image("1", URL)), key="k2") != first
    assert len(engine.jobs()) == 2


def test_the_same_key_for_another_request_is_a_conflict(engine: Engine) -> None:
    engine.submit(request(image("1", URL)), key="k1")
    with pytest.raises(KeyConflictError):
        engine.submit(request(image("2", URL)), key="k1")
    assert len(engine.jobs()) == 1


def test_a_repeat_is_answered_although_quota_and_config_have_changed(open_engine: Open) -> None:
    first = open_engine(daily_limit=1).submit(request(image("1", URL, media_type="photo")), "k")
    other: Json = {"mediaTypes": [{"handle": "image", "type": "mediaImage", "metadata": []}]}
    later = open_engine(daily_limit=1, project_config=other)
    assert later.submit(request(image("1", URL, media_type="photo")), "k") == first


def test_jobs_are_listed_newest_first_in_pages(engine: Engine) -> None:
    ids = [engine.submit(request(image("1", URL))) for _ in range(5)]
    assert [job.id for job in engine.jobs(2)] == ids[:2:-1]
    assert [job.id for job in engine.jobs(10, before=ids[2])] == ids[1::-1]
    assert {job.state for job in engine.jobs()} == {JobState.STARTED}


# -- quota ----------------------------------------------------------------------------------


def test_the_quota_counts_a_rolling_day(open_engine: Open, origin: Origin, clock: Clock) -> None:
    engine = open_engine(daily_limit=3, now=clock)
    url = origin.put("a.jpg", picture())
    engine.submit(request(image("1", url), image("2", url)))
    engine.run()
    with pytest.raises(QuotaError) as caught:
        engine.submit(request(image("3", url), image("4", url)))
    error = caught.value
    assert (error.limit, error.used, error.trying) == (3, 2, 2)
    assert error.retry_after == pytest.approx(86_400)
    clock.at += 86_401
    assert engine.submit(request(image("3", url), image("4", url), image("5", url)))


def test_what_a_clock_far_ahead_stored_does_not_use_up_the_quota_for_ever(
    open_engine: Open, origin: Origin, clock: Clock
) -> None:
    engine = open_engine(daily_limit=2, now=clock)
    url = origin.put("a.jpg", picture())
    right, clock.at = clock.at, clock.at + 400 * 86_400
    engine.submit(request(image("1", url), image("2", url)))
    engine.run()
    clock.at = right
    assert engine.submit(request(image("3", url), image("4", url)))


def test_open_images_count_and_failed_ones_do_not(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(daily_limit=2)
    gone = origin.url("gone.jpg")
    engine.submit(request(image("1", gone), image("2", gone)))
    with pytest.raises(QuotaError) as caught:
        engine.submit(request(image("3", gone)))
    assert (caught.value.used, caught.value.retry_after) == (2, None)
    engine.run()
    assert engine.submit(request(image("3", gone), image("4", gone)))


def test_skipped_images_cost_nothing_new_bytes_do(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(daily_limit=2)
    url = origin.put("a.jpg", picture())
    for _ in range(3):
        engine.submit(request(image("1", url)))
        engine.run()
    origin.put("a.jpg", picture(color="red"))
    engine.submit(request(image("1", url)))
    engine.run()
    with pytest.raises(QuotaError) as caught:
        engine.submit(request(image("1", url)))
    assert caught.value.used == 2


def test_a_batch_larger_than_the_limit_never_fits(open_engine: Open) -> None:
    engine = open_engine(daily_limit=1)
    with pytest.raises(QuotaError) as caught:
        engine.submit(request(image("1", URL), image("2", URL)))
    assert caught.value.retry_after is None
    assert "smaller" in (caught.value.hint or "")


# -- terms ----------------------------------------------------------------------------------


def test_a_job_keeps_the_config_it_was_accepted_under(open_engine: Open, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    job_id = open_engine().submit(request(image("1", url, media_type="photo")))
    other: Json = {"mediaTypes": [{"handle": "image", "type": "mediaImage", "metadata": []}]}
    open_engine(project_config=other, allow_hosts=()).run()
    assert open_engine().progress(job_id) == Counts(success=1)


def test_jobs_of_different_terms_are_done_side_by_side(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    allowed, refused = JobOptions(allow_hosts=(origin.host,)), JobOptions()
    ids = [
        engine.submit(request(image(f"{n}", url)), options=refused if n % 2 else allowed)
        for n in range(12)
    ]
    engine.run()
    counts = [engine.progress(job_id) for job_id in ids]
    assert counts == [Counts(success=1), Counts(failed=1)] * 6


# -- patches --------------------------------------------------------------------------------


def patch(name: str, value: Json) -> dict[str, Json]:
    return {"operation": "setMetadataProperty", "propertyName": name, "value": value}


@pytest.fixture
def media_id(engine: Engine, origin: Origin) -> str:
    engine.submit(request(image("1", origin.put("a.jpg", picture()), metadata={"credit": "me"})))
    engine.run()
    entry = engine.find("archive", "1")
    assert entry is not None
    return entry.id


def test_a_patch_sets_and_removes_properties(engine: Engine, media_id: str) -> None:
    entry = engine.patch_media(media_id, [patch("caption", "new"), patch("credit", None)], 1)
    assert entry.version == 2
    assert entry.metadata == {"caption": "new", "title": "Picture 1"}
    assert engine.media(media_id) == entry


def test_a_patched_entry_is_still_skipped_by_the_same_request(
    engine: Engine, origin: Origin, media_id: str
) -> None:
    engine.patch_media(media_id, [patch("caption", "by hand")])
    job_id = engine.submit(request(image("1", origin.url("a.jpg"), metadata={"credit": "me"})))
    engine.run()
    assert engine.progress(job_id) == Counts(skipped=1)
    entry = engine.media(media_id)
    assert entry is not None
    assert entry.metadata["caption"] == "by hand"


def test_a_patch_of_another_version_is_a_conflict(engine: Engine, media_id: str) -> None:
    with pytest.raises(ConflictError, match="Version: Expected 36 to be equal to 1"):
        engine.patch_media(media_id, [patch("caption", "x")], 36)


def test_a_patch_of_nothing_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match=re.escape("does not exist (id: 'yLBGtTjWN4ba')")):
        engine.patch_media("yLBGtTjWN4ba", [])


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ({"operation": "notExistingOperation"}, "patches.1.operation"),
        (patch("nothing", "x"), "patches.1.propertyName"),
        (patch("caption", 7), "patches.1.value"),
        ({**patch("caption", "x"), "locale": "de"}, "patches.1.locale"),
    ],
)
def test_a_wrong_patch_changes_nothing(
    engine: Engine, media_id: str, operation: dict[str, Json], path: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        engine.patch_media(media_id, [patch("caption", "fine"), operation])
    assert list(caught.value.details) == [path]
    entry = engine.media(media_id)
    assert entry is not None
    assert (entry.version, "caption" in entry.metadata) == (1, False)


@pytest.mark.parametrize(
    "key", ["", "nonsense", "../../etc/passwd", "2026/11/24/x.jpeg", "MQkvYQk2NzM=", "é"]
)
def test_an_unknown_original_is_none(engine: Engine, key: str) -> None:
    assert engine.original(key) is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_all_folders_are_private_whatever_the_umask(open_engine: Open, origin: Origin) -> None:
    before = os.umask(0)
    try:
        engine = open_engine("deep/down/engine")
        engine.submit(request(image("1", origin.put("a.jpg", picture()))))
        engine.run()
    finally:
        os.umask(before)
    deep = engine.folder.parent.parent
    folders = [deep, *(path for path in deep.rglob("*") if path.is_dir())]
    assert {"down", "engine", "blobs", "tmp", "workers"} <= {path.name for path in folders}
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_the_folder_is_private(engine: Engine, tmp_path: Path, media_id: str) -> None:
    folder = tmp_path / "engine"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
