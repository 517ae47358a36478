"""The folder: blobs, catalogue, addresses."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origins import Open, image, request

from ldimport import wire
from ldimport.engine import Engine, addresses
from ldimport.engine.blobs import BlobStore, BlobWriter
from ldimport.engine.catalogue import FILE, Catalogue
from ldimport.engine.job_terms import (
    limits_from_json,
    limits_to_json,
)
from ldimport.errors import LdimportError, StateFileError, TemporaryError
from ldimport.model import ImageType, Integrity, JobOptions, Limits

# -- blobs ----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


def writer(store: BlobStore, name: str = "w") -> BlobWriter:
    made = BlobWriter(store, name)
    made.open()
    return made


def test_a_blob_is_there_once_settled(store: BlobStore) -> None:
    w = writer(store)
    sha256 = w.put(b"bytes")
    assert sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert not store.has(sha256)
    w.settle()
    assert store.read(sha256) == b"bytes"
    assert w.missing() == set()
    w.forget()
    assert list(w.folder.iterdir()) == []
    assert store.path(sha256) == store.folder / sha256[:2] / sha256


def test_two_writers_of_the_same_bytes_agree(store: BlobStore) -> None:
    first, second = writer(store, "first"), writer(store, "second")
    sha256 = first.put(b"same")
    assert second.put(b"same") == sha256
    first.settle()
    second.settle()
    second.forget()
    first.forget()
    assert store.read(sha256) == b"same"


def test_recovering_removes_only_what_has_no_row(store: BlobStore) -> None:
    w = writer(store)
    kept, orphan = w.put(b"kept"), w.put(b"orphan")
    w.settle()
    half = w.put(b"half")
    (w.folder / half).write_bytes(b"ha")
    store.recover("w", lambda names: [name for name in names if name != kept])
    assert store.leftovers() == []
    assert [store.has(sha256) for sha256 in (kept, orphan, half)] == [True, False, False]


def test_a_file_that_cannot_be_synced_is_thrown_away(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = writer(store)
    sha256 = w.put(b"bytes")

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(TemporaryError, match="Input/output error"):
        w.settle()
    assert list(w.folder.iterdir()) == []
    assert not store.has(sha256)


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


def test_what_a_dead_creator_left_is_removed(engine: Engine) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    alive, dead = (engine.folder / f"{FILE}.new-{pid}" for pid in (os.getpid(), gone.pid))
    alive.touch()
    dead.touch()
    dead.with_name(dead.name + "-journal").touch()
    engine.run()
    assert [path.name for path in engine.folder.glob("*.new-*")] == [alive.name]


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
        with catalogue.reading() as connection:
            assert connection.execute("SELECT count(*) FROM engine").fetchone()[0] == 1
    finally:
        catalogue.close()


def test_a_full_disk_is_said_in_plain_words(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine._catalogue.writing() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    engine._catalogue.connection.execute(f"PRAGMA max_page_count={pages}")
    images = [image(f"{n}", "https://pictures.example/a.jpg") for n in range(500)]
    with pytest.raises(TemporaryError, match="full") as caught:
        engine.submit(request(*images))
    assert str(engine.folder) in caught.value.message
    assert engine.jobs() == []


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
    )
)
def test_options_come_back_as_they_were(options: JobOptions) -> None:
    assert wire.options_from_json(wire.options_to_json(options)) == options


def test_limits_come_back_and_unknown_ones_are_left_out() -> None:
    limits = Limits(max_bytes=7, lease_seconds=0.5)
    text = limits_to_json(limits)
    assert limits_from_json(text) == limits
    assert limits_from_json(text.replace("{", '{"max_colours": 3, ', 1)) == limits


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
