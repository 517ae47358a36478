"""Relative urls: files below the folders of a job, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from origins import Open, Origin, image, picture, request

from ldimport.engine import Engine
from ldimport.errors import InvalidRequestError
from ldimport.model import Counts, JobOptions, Status


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a b.jpg").write_bytes(picture(size=(33, 22)))
    (tmp_path / "secret.jpg").write_bytes(picture())
    return folder


@pytest.fixture
def local(open_engine: Open, photos: Path) -> Engine:
    return open_engine(allow_files=[photos])


def reasons(engine: Engine, *urls: str) -> list[str | None]:
    """Reasons of one job with these urls; None for success."""
    job_id = engine.submit(request(*(image(f"{n}", url) for n, url in enumerate(urls))))
    engine.run()
    return [result.reason for result in engine.status(job_id).results]


def test_a_file_below_the_folder_is_imported(local: Engine) -> None:
    assert reasons(local, "sub/a b.jpg", "sub/a%20b.jpg", "./sub/a b.jpg") == [None] * 3
    entry = local.find("archive", "0")
    assert entry is not None
    assert (entry.asset.width, entry.asset.height) == (33, 22)


def test_the_same_file_again_is_skipped_a_changed_one_updated(local: Engine, photos: Path) -> None:
    assert reasons(local, "sub/a b.jpg") == [None]
    assert reasons(local, "sub/a b.jpg") == ["already exists"]
    (photos / "sub" / "a b.jpg").write_bytes(picture("PNG"))
    assert reasons(local, "sub/a b.jpg") == [None]
    (photos / "sub" / "a b.jpg").unlink()
    assert reasons(local, "sub/a b.jpg") == ["already exists"]


def test_nothing_outside_the_folder_is_read(local: Engine, photos: Path) -> None:
    (photos / "link.jpg").symlink_to(photos.parent / "secret.jpg")
    (photos / "up").symlink_to(photos.parent)
    found = reasons(local, "../secret.jpg", "link.jpg", "up/secret.jpg", "sub/../../secret.jpg")
    assert all(reason and "folder" in reason for reason in found), found


def test_only_regular_files_are_read(local: Engine, photos: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    found = reasons(local, "pipe.jpg", "sub", "missing.jpg")
    assert all(found), found


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "C:\\a.jpg", ""])
def test_absolute_paths_are_refused_as_a_whole(local: Engine, url: str) -> None:
    with pytest.raises(InvalidRequestError):
        local.submit(request(image("1", url)))


def test_without_folders_no_path_is_accepted(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError):
        engine.submit(request(image("1", "sub/a.jpg")))


def test_folders_are_those_of_the_job(open_engine: Open, photos: Path, tmp_path: Path) -> None:
    engine = open_engine()
    job_id = engine.submit(
        request(image("1", "sub/a b.jpg")), options=JobOptions(allow_files=(str(photos),))
    )
    open_engine(allow_files=[tmp_path]).run()
    assert engine.progress(job_id) == Counts(success=1)


def test_files_and_addresses_in_one_job(local: Engine, origin: Origin, photos: Path) -> None:
    url = origin.put("a.jpg", picture())
    names = [url if n % 3 else "sub/a b.jpg" for n in range(150)]
    assert reasons(local, *names) == [None] * 150
    assert reasons(local, *names) == ["already exists"] * 150


def test_hundreds_of_files_go_through_in_order(local: Engine, photos: Path) -> None:
    for n in range(300):
        (photos / f"{n}.png").write_bytes(picture("PNG", size=(n + 1, 1)))
    job_id = local.submit(request(*(image(f"{n}", f"{n}.png") for n in range(300))))
    local.run()
    status = local.status(job_id)
    assert {result.status for result in status.results} == {Status.SUCCESS}
    widths = [result.asset.width for result in status.results if result.asset]
    assert widths == list(range(1, 301))
