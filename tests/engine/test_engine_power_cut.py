"""A power cut takes away every name and every byte that was not synced: at no moment is there a row
whose blob would be gone."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from origins import CONFIG, Origin, image, picture, request

from ldimport import database
from ldimport.engine import Engine
from ldimport.model import Counts
from ldimport.system import sync_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descriptors have names in /proc")

IMAGES = 30


class Disk:
    """What of the files below ``root`` would be there after a power cut: names that their folder's
    last sync saw, bytes that the file's last sync saw."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[Path, set[str]] = {}
        self._bytes: dict[int, bytes] = {}
        self._real = os.fsync

    def fsync(self, descriptor: int) -> None:
        self._real(descriptor)
        found, path = os.fstat(descriptor), Path(f"/proc/self/fd/{descriptor}").readlink()
        if stat.S_ISDIR(found.st_mode):
            self._names[path] = {each.name for each in path.iterdir()}
        else:
            self._bytes[found.st_ino] = path.read_bytes()

    def keeps_name(self, path: Path) -> bool:
        """Whether this name, and all above it, have reached the disk."""
        below = [path, *path.parents[: path.parents.index(self.root)]]
        return all(each.name in self._names.get(each.parent, ()) for each in below)

    def keeps(self, path: Path) -> bool:
        """Whether the file is there with the bytes that it has now."""
        return self.keeps_name(path) and self._bytes.get(path.stat().st_ino) == path.read_bytes()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(tmp_path)
    monkeypatch.setattr(os, "fsync", made.fsync)
    return made


def watched(disk: Disk, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on every commit is looked at; returns the numbers of blobs that it vouched for."""
    seen: list[int] = []
    writing = database.writing

    @contextmanager
    def looked_at(connection: sqlite3.Connection) -> Iterator[None]:
        with writing(connection):
            yield
        if connection.execute("PRAGMA database_list").fetchone()[2]:
            assert disk.keeps_name(folder / "catalogue.sqlite")
            rows = connection.execute("SELECT sha256 FROM asset").fetchall()
            lost = [s for (s,) in rows if not disk.keeps(folder / "blobs" / s[:2] / s)]
            assert lost == [], f"{len(lost)} of {len(rows)} rows without their bytes"
            seen.append(len(rows))

    monkeypatch.setattr(database, "writing", looked_at)
    return seen


def carry_out(folder: Path, origin: Origin) -> None:
    with Engine(
        folder, project_config=CONFIG, allow_hosts=[origin.host], integrity="fast"
    ) as engine:
        urls = [origin.put(f"{n}.jpg", picture(size=(8 + n, 8))) for n in range(IMAGES)]
        job_id = engine.submit(request(*(image(f"{n}", url) for n, url in enumerate(urls))))
        engine.run()
        assert engine.progress(job_id) == Counts(success=IMAGES)


def test_no_row_without_its_bytes(
    tmp_path: Path, disk: Disk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "deep" / "engine"
    seen = watched(disk, folder, monkeypatch)
    carry_out(folder, origin)
    assert max(seen) == IMAGES


def test_no_row_without_its_bytes_where_another_has_made_the_folders(
    tmp_path: Path, disk: Disk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has made them all, and was killed, or has not come to syncing them yet."""
    folder = tmp_path / "new" / "engine"
    with monkeypatch.context() as unsynced:
        unsynced.setattr(os, "fsync", lambda _: None)
        Engine(folder).close()
        for n in range(256):
            (folder / "blobs" / f"{n:02x}").mkdir(parents=True)
    for above in (tmp_path, tmp_path / "new"):
        sync_folder(above)
    seen = watched(disk, folder, monkeypatch)
    carry_out(folder, origin)
    assert max(seen) == IMAGES
