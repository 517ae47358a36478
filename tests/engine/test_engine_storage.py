"""The folder: blobs, catalogue, addresses."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origins import Open, image, request

from ldimport import wire
from ldimport.engine import Engine, access_tokens, addresses
from ldimport.engine.blobs import BlobFolder
from ldimport.engine.records import StoredToken
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.jobs import _limits_of
from ldimport.engine.store.sqlite.schema import FILE
from ldimport.errors import LdimportError, StateFileError, TemporaryError
from ldimport.model import (
    Counts,
    ExifPrecedence,
    ImageType,
    Integrity,
    JobOptions,
    Limits,
    Nulls,
)

# -- blobs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["mkdir", "open", "stat", "replace", "fsync", "unlink", "listdir"])
def test_a_disk_with_errors_is_told_as_such_whatever_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whichever step meets it first, none ends in an error that nobody expects."""
    blobs = BlobFolder(tmp_path)
    before = blobs.writer("v")
    stored = before.put(b"bytes")
    before.settle()

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    steps = [
        lambda: blobs.writer("w"),
        lambda: before.put(b"other bytes"),
        before.settle,
        before.missing,
        before.forget,
        lambda: blobs.size(stored),
        lambda: blobs.delete(stored),
        lambda: blobs.stored(stored[:2]),
        lambda: blobs.recover("v", lambda names: names),
    ]
    told = 0
    with monkeypatch.context() as disk:
        disk.setattr(f"os.{call}", broken)
        for step in steps:
            try:
                step()
            except TemporaryError as error:
                assert error.code == "disk-full"
                told += 1
    assert told


def test_a_file_that_cannot_be_synced_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobFolder(tmp_path)
    writer = blobs.writer("w")
    sha256 = writer.put(b"bytes")

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(TemporaryError, match="Input/output error"):
        writer.settle()
    assert list((tmp_path / "tmp" / "w").iterdir()) == []
    assert blobs.size(sha256) is None


def test_settling_syncs_files_then_every_folder_that_got_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is durable only once its folder is synced; a new folder's, once its parent is. The
    note that tells what moves is durable before anything does."""
    synced: list[Path] = []
    writer = BlobFolder(tmp_path).writer("w")
    names = [writer.put(data) for data in (b"one", b"two", b"three")]
    own, real = tmp_path / "tmp" / "w", os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        stands = {path.name for path in own.iterdir()}
        assert stands >= set(names) or {own / "group", own} <= set(synced)
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    writer.settle()
    places = {tmp_path / "blobs" / name[:2] for name in names}
    assert set(synced[:3]) == {own / name for name in names}
    assert synced[3:-3] == [own / "group", own, tmp_path / "blobs"]
    assert set(synced[-3:]) == places
    assert len(places) == 3


# -- catalogue ------------------------------------------------------------------------------


def test_the_identity_of_a_folder_stays(open_engine: Open) -> None:
    first = open_engine().uuid
    assert open_engine().uuid == first
    assert open_engine("other").uuid != first


def test_many_processes_may_create_it_at_once(tmp_path: Path) -> None:
    script = "import sys; from ldimport.engine import Engine; print(Engine(sys.argv[1]).uuid)"
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "engine")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    found = {process.communicate()[0] for process in started}
    assert len(found) == 1
    assert found != {b""}


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(200)),
        lambda path: path.write_text("not a database"),
        lambda path: path.mkdir(),
        lambda path: sqlite3.connect(path).executescript("CREATE TABLE t (a)").close(),
    ],
    ids=["empty", "torn", "text", "folder", "of-another-program"],
)
def test_a_foreign_catalogue_is_left_alone(tmp_path: Path, make: object) -> None:
    path = tmp_path / FILE
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StateFileError, match=FILE):
        Engine(tmp_path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_newer_catalogue_is_refused(tmp_path: Path) -> None:
    Engine(tmp_path).close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(StateFileError, match="newer"):
        Engine(tmp_path)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(StateFileError, match="other files"):
        Engine(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LdimportError, match="file"):
            Engine(folder)


def test_threads_have_connections_of_their_own(engine: Engine) -> None:
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for m in range(10):
                engine.submit(request(image(f"{n}-{m}", "https://pictures.example/a.jpg")))
                engine.jobs(3)
        except BaseException as error:  # noqa: BLE001  shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(engine.jobs(100)) == 40


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    catalogue = Catalogue(engine.folder)
    try:
        with pytest.raises(ZeroDivisionError), catalogue.writing() as connection:
            connection.execute("DELETE FROM engine")
            raise ZeroDivisionError
        with catalogue.writing() as connection:
            assert connection.execute("SELECT count(*) FROM engine").fetchone()[0] == 1
    finally:
        catalogue.close()


def test_a_full_disk_is_said_in_plain_words(engine: Engine) -> None:
    connection = engine.store._catalogue.connection  # type: ignore[attr-defined]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")
    images = [image(f"{n}", "https://pictures.example/a.jpg") for n in range(500)]
    with pytest.raises(TemporaryError, match="full") as caught:
        engine.submit(request(*images))
    assert str(engine.folder) in caught.value.message
    assert engine.jobs() == []


def test_a_row_that_refers_to_nothing_is_a_complaint(open_engine: Open) -> None:
    engine = open_engine()
    engine.submit(request(image("1", "https://pictures.example/")))
    engine.close()
    with sqlite3.connect(engine.folder / "catalogue.sqlite") as connection:
        connection.execute("DELETE FROM job")
    connection.close()
    (complaint,) = open_engine().store.complaints()
    assert "refer to rows that are not there" in complaint


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "valid"),
    [(None, None, True), (10.1, None, True), (10.0, None, False), (None, 1.0, False)],
)
def test_a_token_lets_in_until_it_ends_or_is_revoked(
    expires_at: float | None, revoked_at: float | None, valid: bool
) -> None:
    token = StoredToken("t", "one", "a" * 64, ("read",), 0.0, expires_at, revoked_at)
    assert access_tokens.is_valid(token, 10.0) is valid


def test_closing_leaves_one_whole_file(engine: Engine) -> None:
    job_id = engine.submit(request(image("1", "https://pictures.example/a.jpg")))
    assert (engine.folder / f"{FILE}-wal").stat().st_size > 0
    engine.close()
    assert [path.name for path in engine.folder.iterdir() if path.is_file()] == [FILE]
    with Engine(engine.folder) as again:
        assert again.progress(job_id) == Counts(pending=1)


# -- addresses, terms -----------------------------------------------------------------------


@given(st.text())
def test_a_slug_is_ascii_and_never_empty(title: str) -> None:
    slug = addresses.slug(title)
    assert 0 < len(slug) <= 80
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not slug.startswith("-")
    assert not slug.endswith("-")


@given(
    st.sampled_from(ImageType),
    st.floats(0, 4_000_000_000),
    st.integers(1, 15_000_000),
    st.sampled_from(["", "?format=auto", "&format=auto"]),
)
def test_an_image_id_leads_back_to_its_key(
    kind: ImageType, now: float, size: int, tail: str
) -> None:
    key = addresses.new_key(kind, now)
    text = addresses.image_id(key, size)
    assert not set(text) & set("+/&?# ")
    assert addresses.key_of(text + tail) == key
    assert addresses.key_of(key) == key


@given(st.lists(st.integers(1, 10**9), min_size=2, unique=True))
def test_media_ids_follow_each_other_as_the_numbers_do(numbers: list[int]) -> None:
    ids = [addresses.new_media_id(number) for number in sorted(numbers)]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    assert all(len(each) == 12 and each.isalnum() and each[0].isalpha() for each in ids)
    assert addresses.new_media_id(1) != addresses.new_media_id(1)


def test_keys_follow_each_other_in_time_and_are_not_guessed() -> None:
    keys = [addresses.new_key(ImageType.PNG, 1_790_000_000 + n / 100) for n in range(100)]
    assert keys == sorted(keys)
    assert len({key[-20:] for key in keys}) == 100
    assert {(key[25], key[30] in "89ab") for key in keys} == {("7", True)}


@given(st.text())
def test_any_text_is_a_key_or_is_not(text: str) -> None:
    assert addresses.key_of(text) is None or text


def test_the_seeds_own_id_is_understood() -> None:
    seed = "MQkvMjAxOS8xMS8yMS9hMjA5NzkwZS0xNTQ5LTQ2ZDktYjNjNy1jZWZlMjhjN2VhOTkuanBlZwk2NzM="
    assert addresses.key_of(seed) == "2019/11/21/a209790e-1549-46d9-b3c7-cefe28c7ea99.jpeg"


@given(
    st.builds(
        JobOptions,
        st.lists(st.text()).map(tuple),
        st.lists(st.text()).map(tuple),
        st.sampled_from(Integrity),
        st.booleans(),
        st.sampled_from(ExifPrecedence),
        st.sampled_from(Nulls),
        st.lists(st.sampled_from(ImageType)).map(tuple),
        st.none() | st.text(),
        st.none() | st.text(),
    )
)
def test_options_come_back_as_they_were(options: JobOptions) -> None:
    assert wire.options_from_json(wire.options_to_json(options)) == options


def test_options_of_older_files_have_what_was_not_known_by_default() -> None:
    text = '{"allowHosts": ["a:80"], "integrity": "fast", "lenient": true}'
    found = wire.options_from_json(text)
    assert found == JobOptions(("a:80",), integrity=Integrity.FAST, lenient=True)


def test_limits_come_back_and_unknown_ones_are_left_out() -> None:
    limits = Limits(max_bytes=7, lease_seconds=0.5)
    text = json.dumps(asdict(limits))
    assert _limits_of(text) == limits
    assert _limits_of(text.replace("{", '{"max_colours": 3, ', 1)) == limits


def test_importing_the_engine_loads_nothing_heavy() -> None:
    heavy = ["pycurl", "PIL", "jsonschema", "jsonschema_rs", "sqlite3"]
    script = f"import sys, ldimport.engine; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert run.stdout == b"[]\n"


def test_making_an_engine_loads_no_fetcher_and_no_decoder(tmp_path: Path) -> None:
    heavy = ["pycurl", "PIL", "jsonschema", "jsonschema_rs"]
    script = (
        f"import sys; from ldimport import Engine; Engine({str(tmp_path / 'e')!r}).close();"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert run.stdout == b"[]\n"
