"""What a store tells whoever only looks: lists of jobs, images of one, the library by words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_store_contract import claim, failed, job, stored

from ldimport.engine.records import (
    FailureReason,
    ImageFilter,
    JobFilter,
    LibraryKind,
    LibraryQuery,
    MediaEntry,
)
from ldimport.engine.store import Store, open_store
from ldimport.model import Counts, Status


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "engine")
    yield store
    store.close()


def fill(store: Store, name: str, titles: dict[str, str], **fields: object) -> None:
    """A job that makes an entry for each id, with this title."""
    store.jobs.accept(job(name, *titles), 0)
    session = store.join()
    tasks = claim(session).tasks
    done = [
        stored(task, f"{n:064x}", metadata={"title": titles[task.image.id]}, **fields)
        for n, task in enumerate(tasks)
    ]
    session.work(done, 2000.0)
    session.leave()


def found(store: Store, text: str = "", **fields: object) -> list[str]:
    """External ids of what a search finds, once all is known to it."""
    while store.library.unread():
        time.sleep(0.01)
    page = store.library.search(LibraryQuery(text, **fields), 1_000)  # type: ignore[arg-type]
    assert page.count == len(page.entries)
    return [each.external_id for each in page.entries]


# -- jobs ---------------------------------------------------------------------------------------


def test_lists_and_sums_of_jobs(store: Store) -> None:
    assert store.jobs.totals().counts == Counts()
    for name in ("a", "b", "c"):
        store.jobs.accept(job(name, f"{name}1", f"{name}2"), 0)
    session = store.join()
    tasks = claim(session).tasks
    session.work([stored(tasks[0]), failed(tasks[1])], 2000.0)
    totals = store.jobs.totals()
    assert (totals.jobs, totals.running, totals.failed) == (3, 2, 1)
    assert totals.counts == Counts(success=1, failed=1, pending=4)
    listed = {which: [each.id for each in store.jobs.newest(9, None, which)] for which in JobFilter}
    assert listed == {
        JobFilter.ALL: ["c", "b", "a"], JobFilter.RUNNING: ["c", "b"], JobFilter.FAILED: ["a"],
    }  # fmt: skip
    assert store.jobs.newest(9, "a", JobFilter.FAILED) == []
    session.work([stored(task, f"{n:064x}") for n, task in enumerate(tasks[4:])], 2000.0)
    assert store.jobs.totals().counts == Counts(success=3, failed=1, pending=2)  # c before b
    session.work([failed(task) for task in tasks[2:4]], 2000.0)
    store.jobs.accept(job("d", "1"), 0)
    totals = store.jobs.totals()
    assert (totals.jobs, totals.running, totals.failed) == (4, 1, 2)
    assert totals.counts == Counts(success=3, failed=3, pending=1)
    session.leave()


def test_images_of_a_job_by_outcome_and_reason(store: Store) -> None:
    store.jobs.accept(job("before", "x"), 0)
    store.jobs.accept(job("one", "1", "2", "3", "4"), 0)
    session = store.join()
    tasks = {each.image.id: each for each in claim(session).tasks}
    other = failed(tasks["3"])._replace(reason="another reason", cause=None)
    session.work([stored(tasks["1"]), failed(tasks["2"]), other], 2000.0)

    def listed(which: ImageFilter = ImageFilter(), most: int = 9, after: int = 0) -> list[int]:  # noqa: B008
        return [each.number for each in store.jobs.images("one", which, most, after)]

    assert listed() == [1, 2, 3, 4]
    assert (listed(most=2), listed(after=2)) == ([1, 2], [3, 4])
    assert listed(ImageFilter(Status.FAILED)) == [2, 3]
    assert listed(ImageFilter(pending=True)) == [4]
    assert listed(ImageFilter(Status.FAILED, reason="another reason")) == [3]
    assert listed(ImageFilter(cause="origin-503")) == [2]
    assert listed(ImageFilter(reason="a reason")) == []  # which has a cause
    assert [*store.jobs.reasons("one")] == [
        FailureReason("a reason", "origin-503", 1), FailureReason("another reason", None, 1),
    ]  # fmt: skip
    (first, *_) = store.jobs.images("one", ImageFilter(), 1)
    entry = store.library.find("archive", "1")
    assert entry is not None
    assert (first.media, first.status, first.title) == (entry.id, Status.SUCCESS, entry.title)
    session.leave()


# -- the library --------------------------------------------------------------------------------


def test_words_are_found_without_accents_and_unfinished(store: Store) -> None:
    fill(
        store, "one", {"1997-00012": "Der Säntis im Schnee", "b": "Genève, la nuit", "c": "桜の花"}
    )
    assert found(store, "santis") == ["1997-00012"]
    assert found(store, "SÄNT") == ["1997-00012"]
    assert found(store, "sänt ") == []
    assert found(store, "schnee santis") == ["1997-00012"]
    assert found(store, "geneve nacht") == []
    assert found(store, "1997-00") == ["1997-00012"]
    assert found(store, "桜") == ["c"]
    entry = store.library.find("archive", "b")
    assert entry is not None
    assert found(store, entry.id) == ["b"]


def test_an_unfinished_word_may_stand_for_few_words_or_many(store: Store) -> None:
    fill(store, "one", {f"{n}": f"rhein{n} fällt" for n in range(60)})
    assert len(found(store, "rhein")) == 60
    assert found(store, "rhein1") == [*(f"{n}" for n in range(19, 9, -1)), "1"]
    assert found(store, "fäll") == found(store, "FALLT")
    assert found(store, "rheinz") == []


@pytest.mark.parametrize(
    "text", ['"', "*", "AND", "NEAR(", "title:", "a OR", "-", "'; --", "^", "()"]
)
def test_the_language_of_the_index_is_nobody_elses(store: Store, text: str) -> None:
    fill(store, "one", {"a": "Title OR and near", "b": "other"})
    assert set(found(store, text)) <= {"a", "b"}
    assert found(store, f"{text} other") in (["b"], [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_may_be_asked_for(store: Store, text: str) -> None:
    found(store, text.replace("\0", " "))


def test_kinds_and_times_narrow_a_search(store: Store) -> None:
    fill(store, "one", {"a": "red", "b": "green"})
    assert found(store, "red", system_name="archive", media_type="image") == ["a"]
    assert found(store, system_name="archive") == ["b", "a"]
    assert found(store, media_type="none") == []
    assert store.library.kinds() == [LibraryKind("archive", "image", 2)]
    assert found(store, since=1999.0) == ["b", "a"]
    every = LibraryQuery(system_name="archive")
    assert store.library.search(every, 1, counted=9).count == 2
    assert store.library.search(every, 1, counted=1).count is None
    assert store.library.search(LibraryQuery("red green"), 1, counted=9).count == 0
    assert found(store, since=2001.0) == []
    assert found(store, until=2000.0) == []


def test_changes_are_found_and_what_was_is_not(store: Store) -> None:
    fill(store, "one", {"a": "before", "b": "other"})
    assert found(store, "before") == ["a"]
    entry = store.library.find("archive", "a")
    assert entry is not None

    def edit(old: MediaEntry) -> MediaEntry:
        from dataclasses import replace

        return replace(old, metadata={"title": "afterwards"})

    store.library.change(entry.id, edit)
    assert found(store, "before") == []
    assert found(store, "afterwards") == ["a"]
    assert store.library.kinds() == [LibraryKind("archive", "image", 2)]


def test_pages_of_library_and_search_leave_nothing_out(store: Store) -> None:
    fill(store, "one", {f"{n}": f"word {n}" for n in range(25)})
    expected = [f"{n}" for n in range(24, -1, -1)]
    assert found(store, "word") == expected
    for listed in (
        lambda before: store.library.newest(7, before),
        lambda before: store.library.search(LibraryQuery("word"), 7, before).entries,
    ):
        seen: list[str] = []
        before = None
        while page := listed(before):
            seen += [each.external_id for each in page]
            before = page[-1].id
        assert seen == expected


def test_an_index_that_is_broken_or_of_another_engine_is_made_again(tmp_path: Path) -> None:
    for name, title in (("one", "red"), ("two", "blue")):
        with closing(open_store(tmp_path / name)) as store:
            fill(store, "job", {"a": title})
            assert found(store, title) == ["a"]
    index = tmp_path / "two" / "search.sqlite"
    index.write_bytes((tmp_path / "one" / "search.sqlite").read_bytes())
    with closing(open_store(tmp_path / "two")) as store:
        assert (found(store, "blue"), found(store, "red")) == (["a"], [])
    index.write_bytes(b"not a database" * 100)
    with closing(open_store(tmp_path / "two")) as store:
        assert found(store, "blue") == ["a"]


def test_looking_changes_no_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    with closing(open_store(folder)) as store:
        fill(store, "job", {"a": "red"})
    before = (folder / "catalogue.sqlite").read_bytes()
    with closing(open_store(folder, write=False)) as store:
        assert found(store, "red") == ["a"]
        assert len(store.jobs.newest(9)) == 1
        with pytest.raises(Exception, match=r"read-?only|cannot"):
            store.jobs.accept(job("two", "b"), 0)
    assert (folder / "catalogue.sqlite").read_bytes() == before


def test_where_a_value_came_from_is_kept(store: Store) -> None:
    fill(store, "one", {"a": "red"}, filled={"credit": "By-line"})
    entry = store.library.find("archive", "a")
    assert entry is not None
    assert (entry.filled, entry.first_job, entry.last_job) == ({"credit": "By-line"}, "one", "one")
    fill(store, "two", {"a": "blue"}, filled={})
    entry = store.library.find("archive", "a")
    assert entry is not None
    assert (entry.filled, entry.first_job, entry.last_job) == ({}, "one", "two")


def test_entries_of_older_engines_say_that_it_is_not_known(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    with closing(open_store(folder)) as store:
        fill(store, "one", {"a": "red"})
    with closing(sqlite3.connect(folder / "catalogue.sqlite")) as base, base:
        base.execute("UPDATE media SET filled = NULL, first_job = NULL, last_job = NULL")
    with closing(open_store(folder)) as store:
        entry = store.library.find("archive", "a")
        assert entry is not None
        assert (entry.filled, entry.first_job) == (None, None)
