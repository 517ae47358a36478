"""What ``blobs`` promises, asked of every implementation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ldimport.engine.blobs import BlobFolder, Blobs


@pytest.fixture(params=[BlobFolder])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    made: Blobs = request.param(tmp_path)
    return made


def read(blobs: Blobs, sha256: str) -> bytes:
    with blobs.open(sha256) as file:
        return file.read()


def test_a_blob_is_there_once_settled(blobs: Blobs) -> None:
    writer = blobs.writer("w")
    sha256 = writer.put(b"bytes")
    assert sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert blobs.size(sha256) is None
    writer.settle()
    assert (blobs.size(sha256), read(blobs, sha256)) == (5, b"bytes")
    assert writer.missing() == set()
    writer.forget()
    assert read(blobs, sha256) == b"bytes"


def test_a_blob_is_read_from_any_place(blobs: Blobs) -> None:
    writer = blobs.writer("w")
    sha256 = writer.put(b"0123456789")
    writer.settle()
    with blobs.open(sha256) as file:
        file.seek(6)
        assert file.read(2) == b"67"


def test_what_is_not_stored(blobs: Blobs) -> None:
    assert blobs.size("a" * 64) is None
    with pytest.raises(FileNotFoundError):
        blobs.open("a" * 64)
    blobs.delete("a" * 64)


def test_bytes_are_put_only_if_they_are_absent(blobs: Blobs) -> None:
    first, second = blobs.writer("first"), blobs.writer("second")
    sha256 = first.put(b"same")
    assert first.put(b"same") == second.put(b"same", sha256) == sha256
    first.settle()
    second.settle()
    second.forget()
    first.forget()
    assert read(blobs, sha256) == b"same"
    third = blobs.writer("third")
    assert third.put(b"same") == sha256
    third.settle()
    third.forget()
    assert read(blobs, sha256) == b"same"


def test_a_blob_that_somebody_deleted_is_missed(blobs: Blobs) -> None:
    writer = blobs.writer("w")
    gone, kept = writer.put(b"gone"), writer.put(b"kept")
    writer.settle()
    blobs.delete(gone)
    assert writer.missing() == {gone}
    writer.forget()
    assert writer.missing() == set()
    assert blobs.size(kept) == 4


def test_recovering_removes_only_what_has_no_row(blobs: Blobs) -> None:
    writer = blobs.writer("w")
    kept, orphan = writer.put(b"kept"), writer.put(b"orphan")
    writer.settle()
    half = writer.put(b"half")
    assert list(blobs.leftovers()) == ["w"]
    blobs.recover("w", lambda names: [name for name in names if name != kept])
    assert list(blobs.leftovers()) == []
    assert [blobs.size(sha256) for sha256 in (kept, orphan, half)] == [4, None, None]
    blobs.recover("w", lambda names: names)  # nothing is left of it


def test_what_is_forgotten_is_not_recovered(blobs: Blobs) -> None:
    writer = blobs.writer("w")
    sha256 = writer.put(b"bytes")
    writer.settle()
    writer.forget()
    blobs.recover("w", lambda names: names)
    assert blobs.size(sha256) == 5
