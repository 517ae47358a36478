"""What ``store.contract`` promises, asked of every implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from origins import CONFIG, Clock, image, request

from ldimport.engine.records import (
    ALREADY_EXISTS,
    Activity,
    Claimed,
    Delivery,
    DeliveryOutcome,
    ImportOutcome,
    ImportTask,
    NewBytes,
    NewJob,
    Notification,
    StoredToken,
    Terms,
)
from ldimport.engine.store import Store, WorkerSession
from ldimport.engine.store.sqlite.sessions import SqliteSession
from ldimport.engine.store.sqlite.store import SqliteStore
from ldimport.errors import KeyConflictError, LdimportError, QuotaError
from ldimport.model import (
    Counts,
    Facts,
    ImageType,
    ImportRequest,
    JobOptions,
    JobState,
    Limits,
    Status,
)
from ldimport.schema import config

DAY = 86_400.0
LEASE = Limits().lease_seconds


@dataclass
class Sqlite:
    """Stores in one folder, as several processes open it."""

    folder: Path
    opened: list[Store] = field(default_factory=list)

    def open(self, clock: Clock) -> Store:
        self.opened.append(SqliteStore(self.folder, clock))
        return self.opened[-1]

    @staticmethod
    def kill(session: WorkerSession) -> None:
        """Its process dies."""
        assert isinstance(session, SqliteSession)
        session._lock.release()


@pytest.fixture(params=[Sqlite])
def implementation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sqlite]:
    made = request.param(tmp_path / "store")
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(implementation: Sqlite, clock: Clock) -> Store:
    return implementation.open(clock)


TERMS = Terms(config.from_json(CONFIG), JobOptions(), Limits())
OTHER_TERMS = replace(TERMS, options=JobOptions(lenient=True))


def job(name: str, *ids: str, **fields: Any) -> NewJob:
    """A job of images with these ids."""
    images = (image(each, f"https://pictures.example/{each}.jpg") for each in ids)
    settled = [replace(each, media_type="image") for each in images]
    asked = request(*settled, webhook=fields.pop("webhook", None))
    given: dict[str, Any] = {"key": None, "body": name, "terms": TERMS, "created_at": 1000.0}
    return NewJob(name, request=asked, **{**given, **fields})


def claim(session: WorkerSession, most: int = 100, **fields: Any) -> Claimed:
    return session.work((), 2000.0, most=most, **fields)


def stored(task: ImportTask, sha256: str = "a" * 64, **fields: Any) -> ImportOutcome:
    """A success with bytes of its own."""
    new = NewBytes(sha256, sha256, 100, Facts(ImageType.JPG, 4, 3))
    given: dict[str, Any] = {"metadata": {"title": "t"}, "new": new, "request": "r"}
    return ImportOutcome(task, Status.SUCCESS, **{**given, **fields})


def failed(task: ImportTask, cause: str = "origin-503") -> ImportOutcome:
    return ImportOutcome(task, Status.FAILED, "a reason", cause)


def counts(store: Store, job_id: str) -> Counts:
    found = store.jobs.get(job_id)
    assert found is not None
    return found.counts


# -- accepting ------------------------------------------------------------------------------


def test_the_identity_stays(implementation: Sqlite, clock: Clock) -> None:
    assert implementation.open(clock).uuid == implementation.open(clock).uuid


def test_an_accepted_job_is_there_for_everybody(
    implementation: Sqlite, store: Store, clock: Clock
) -> None:
    assert store.jobs.accept(job("one", "1", "2"), 0) == "one"
    found = implementation.open(clock).jobs.get("one")
    assert found is not None
    assert (found.state, found.counts, found.created_at) == (
        JobState.STARTED,
        Counts(pending=2),
        1000.0,
    )
    assert store.jobs.get("another") is None
    assert (store.jobs.open_images(), store.jobs.any_free()) == (2, True)
    assert store.jobs.results("one") == []


def test_a_key_is_for_one_body(store: Store) -> None:
    store.jobs.accept(job("one", "1", key="k"), 0)
    assert store.jobs.of_key("k") == ("one", "one")
    assert store.jobs.of_key("other") is None
    assert store.jobs.accept(job("two", "1", key="k", body="one"), 0) == "one"
    with pytest.raises(KeyConflictError):
        store.jobs.accept(job("three", "1", key="k"), 0)
    assert [each.id for each in store.jobs.newest(10)] == ["one"]


def race(*calls: Callable[[], object]) -> list[object]:
    """What came of calls at the same time, errors included."""
    found: list[object] = []

    def run(call: Callable[[], object]) -> None:
        try:
            found.append(call())
        except LdimportError as error:
            found.append(type(error))

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_many_that_race_for_a_key_one_is_accepted(store: Store) -> None:
    found = race(
        *(
            lambda n=n: store.jobs.accept(job(f"{n}", "1", key="k", body="b"), 0)  # type: ignore[misc]
            for n in range(8)
        )
    )
    (accepted,) = store.jobs.newest(10)
    assert found == [accepted.id] * 8


def test_of_many_that_race_for_the_last_place_one_is_accepted(store: Store) -> None:
    found = race(
        *(lambda n=n: store.jobs.accept(job(f"{n}", "1"), 1) for n in range(8))  # type: ignore[misc]
    )
    assert len(store.jobs.newest(10)) == 1
    assert found.count(QuotaError) == 7


def test_the_quota_counts_what_was_stored_and_what_is_open(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2", "3"), 0)
    session = store.join()
    first, second, _ = claim(session).tasks
    session.work([stored(first)], 1_000.0)
    session.work([stored(second)], 2_000.0)
    with pytest.raises(QuotaError) as caught:
        store.jobs.accept(job("two", "4", "5", created_at=3_000.0), 4)
    error = caught.value
    assert (error.limit, error.used, error.trying) == (4, 3, 2)
    assert error.retry_after == pytest.approx(DAY - 2_000.0)
    with pytest.raises(QuotaError) as caught:  # those that are open are in the way
        store.jobs.accept(job("two", "4", "5", "6", "7", created_at=3_000.0), 4)
    assert caught.value.retry_after is None
    late = job("two", "4", "5", created_at=1_000.0 + DAY)
    assert store.jobs.accept(late, 4) == "two"  # what is a day old counts no more
    session.leave()


def test_jobs_are_listed_newest_first_in_pages(store: Store) -> None:
    for n in range(5):
        store.jobs.accept(job(f"{n}", "1"), 0)
    assert [each.id for each in store.jobs.newest(2)] == ["4", "3"]
    assert [each.id for each in store.jobs.newest(9, before="3")] == ["2", "1", "0"]


# -- claiming -------------------------------------------------------------------------------


def test_images_are_claimed_once_oldest_first(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2", "3"), 0)
    one, two = store.join(), store.join()
    assert one.name != two.name
    first = claim(one, 2)
    assert [each.image.id for each in first.tasks] == ["1", "2"]
    assert first.tasks[0].image == replace(
        image("1", "https://pictures.example/1.jpg"), media_type="image"
    )
    assert [each.image.id for each in claim(two).tasks] == ["3"]
    assert claim(one).terms is None
    assert not store.jobs.any_free()
    assert store.jobs.open_images() == 3
    for session in (one, two):
        session.leave()
    assert store.jobs.any_free()


def test_a_claim_has_one_number_of_terms(store: Store) -> None:
    store.jobs.accept(job("one", "1"), 0)
    store.jobs.accept(job("two", "2", terms=OTHER_TERMS), 0)
    store.jobs.accept(job("three", "3"), 0)
    session = store.join()
    first = claim(session)
    assert [each.image.id for each in first.tasks] == ["1"]
    assert first.terms is not None
    assert claim(session, terms=first.terms).tasks == ()  # the oldest has others
    second = claim(session)
    assert second.terms is not None
    assert [each.image.id for each in second.tasks] == ["2"]
    assert [each.image.id for each in claim(session, terms=first.terms).tasks] == ["3"]
    assert store.jobs.terms(first.terms).options == TERMS.options
    found = store.jobs.terms(second.terms)
    assert (found.options, found.limits) == (OTHER_TERMS.options, Limits())
    assert found.config.digest == TERMS.config.digest
    session.leave()


def test_an_identity_waits_for_its_earlier_job(store: Store) -> None:
    store.jobs.accept(job("one", "1"), 0)
    store.jobs.accept(job("two", "1", "2"), 0)
    session = store.join()
    (first, second) = claim(session).tasks
    assert (first.image.id, second.image.id) == ("1", "2")
    assert (first.known, claim(session).tasks) == (None, ())
    done = session.work([stored(first), stored(second)], 2000.0, most=9)
    (again,) = done.tasks
    assert again.known is not None
    assert (again.known.sha256, again.known.request) == ("a" * 64, "r")
    assert again.known.facts == Facts(ImageType.JPG, 4, 3)
    session.leave()


# -- leases ---------------------------------------------------------------------------------


def test_the_first_turn_keeps_nothing_the_next_ones_do(store: Store) -> None:
    session = store.join()
    assert not claim(session).kept
    assert claim(session).kept
    session.leave()


def test_a_lease_ages_and_is_renewed(store: Store, clock: Clock) -> None:
    session = store.join()
    assert session.ageing
    claim(session)
    assert not session.ageing
    clock.at += LEASE / 3 + 1
    assert session.ageing
    session.work((), 2000.0)
    assert not session.ageing
    session.last(0.5)
    assert session.ageing
    session.work((), 2000.0)
    clock.at += 0.2
    assert session.ageing
    session.work((), 2000.0)
    session.last(LEASE)
    assert session.ageing
    session.leave()


def test_what_a_dead_session_had_is_free_at_once(
    implementation: Sqlite, store: Store, clock: Clock
) -> None:
    store.jobs.accept(job("one", "1"), 0)
    dead, other = store.join(), implementation.open(clock).join()
    claim(dead)
    assert claim(other).tasks == ()
    implementation.kill(dead)
    other.patrol()
    assert len(claim(other).tasks) == 1
    other.leave()


def test_a_hung_session_is_fenced_off_after_its_lease(store: Store, clock: Clock) -> None:
    store.jobs.accept(job("one", "1"), 0)
    hung, other = store.join(), store.join()
    (late,) = claim(hung).tasks
    clock.at += LEASE - 1
    other.patrol()
    assert claim(other).tasks == ()
    clock.at += 2
    other.patrol()
    (task,) = claim(other).tasks
    assert not hung.work([stored(late)], 3000.0).kept
    assert counts(store, "one") == Counts(pending=1)
    other.work([failed(task)], 3001.0)
    hung.work([stored(late)], 3002.0)
    assert counts(store, "one") == Counts(failed=1)
    assert store.library.find("archive", "1") is None
    for session in (hung, other):
        session.leave()


def test_an_outcome_counts_once(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2"), 0)
    session = store.join()
    first, second = claim(session).tasks
    session.work([failed(first), failed(first)], 2000.0)
    session.work([stored(first), stored(second)], 2000.0)
    assert counts(store, "one") == Counts(success=1, failed=1)
    session.leave()


def test_what_was_given_back_comes_after_what_lies_behind_it(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2", "3"), 0)
    session, other = store.join(), store.join()
    (first,) = claim(session, most=1).tasks
    behind = claim(session, most=1, back=[first], after=first.item)
    assert [task.image.id for task in behind.tasks] == ["2"]
    assert store.jobs.any_free(after=behind.tasks[0].item)
    assert [task.image.id for task in claim(other, after=first.item).tasks] == ["3"]
    assert not store.jobs.any_free(after=first.item)
    assert [task.image.id for task in claim(other).tasks] == ["1"]
    session.work([failed(first)], 2000.0)  # it has no lease any more
    assert counts(store, "one") == Counts(pending=3)
    session.leave()
    other.leave()


def test_a_patrol_looks_once_a_second(implementation: Sqlite, store: Store, clock: Clock) -> None:
    store.jobs.accept(job("one", "1"), 0)
    other, dead = store.join(), store.join()
    other.patrol()
    claim(dead)
    implementation.kill(dead)
    clock.at += 0.9
    other.patrol()
    assert claim(other).tasks == ()
    clock.at += 0.2
    other.patrol()
    assert len(claim(other).tasks) == 1
    other.leave()


def test_outcomes_whose_blob_is_gone_are_begun_again(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2"), 0)
    session = store.join()
    first, second = claim(session).tasks
    done = [stored(first, "a" * 64), stored(second, "b" * 64)]
    again = session.work(done, 2000.0, lost=lambda: {"a" * 64}, most=9)
    assert [each.image.id for each in again.tasks] == ["1"]
    assert counts(store, "one") == Counts(success=1, pending=1)
    session.leave()


def deaths(session: WorkerSession) -> list[tuple[str, int]]:
    """What can be claimed, and how many workers each has stopped."""
    found = [(each.image.id, each.deaths) for each in claim(session).tasks]
    session.leave()
    return found


def test_a_death_counts_for_the_image_in_hand_alone(implementation: Sqlite, store: Store) -> None:
    store.jobs.accept(job("one", "1", "2", "3"), 0)
    dead, other = store.join(), store.join()
    first, second, _ = claim(dead).tasks
    dead.hold(first)
    dead.hold(second)
    implementation.kill(dead)
    other.patrol()
    assert deaths(other) == [("1", 0)]  # what was in hand is leased alone
    third = store.join()
    (task,) = claim(third, most=1).tasks
    third.work([failed(task)], 2000.0)
    assert deaths(third) == [("2", 1)]


def test_an_image_that_killed_is_carried_out_alone(implementation: Sqlite, store: Store) -> None:
    store.jobs.accept(job("one", "1", "2", "3", "4"), 0)
    for n in range(3):
        dead, other = store.join(), store.join()
        (task,) = claim(dead, most=1).tasks
        assert (task.image.id, task.deaths) == ("1", n)
        dead.hold(task)
        assert n == 0 or claim(dead).tasks == ()  # nothing is leased beside it
        implementation.kill(dead)
        other.patrol()
        other.leave()
    one, two = store.join(), store.join()
    (bad,) = claim(one).tasks
    assert (bad.image.id, bad.deaths) == ("1", 3)
    assert [each.image.id for each in claim(two, most=2).tasks] == ["2", "3"]
    one.work([failed(bad)], 2000.0)
    assert [(each.image.id, each.deaths) for each in claim(one).tasks] == [("4", 0)]


def test_who_has_others_in_hand_does_not_take_one_that_killed(
    implementation: Sqlite, store: Store
) -> None:
    store.jobs.accept(job("one", "1", "2", "3"), 0)
    dead, busy = store.join(), store.join()
    (task,) = claim(dead, most=1).tasks
    assert len(claim(busy, most=1).tasks) == 1
    dead.hold(task)
    implementation.kill(dead)
    busy.patrol()
    assert claim(busy).tasks == ()


def test_an_orderly_end_and_a_task_that_ended_count_nothing(
    implementation: Sqlite, store: Store
) -> None:
    store.jobs.accept(job("one", "1", "2"), 0)
    session, dead = store.join(), store.join()
    session.hold(claim(session, most=1).tasks[0])
    session.leave()
    dead.hold(claim(dead).tasks[0])
    dead.hold(None)
    implementation.kill(dead)
    last = store.join()
    last.patrol()
    assert deaths(last) == [("1", 0), ("2", 0)]


def test_a_hung_session_counts_as_a_death(store: Store, clock: Clock) -> None:
    store.jobs.accept(job("one", "1", "2"), 0)
    hung, other = store.join(), store.join()
    hung.hold(claim(hung).tasks[0])
    clock.at += LEASE + 1
    other.patrol()
    assert deaths(other) == [("1", 1)]


def test_what_dead_sessions_left_is_cleared_up_without_a_session(
    implementation: Sqlite, store: Store
) -> None:
    store.jobs.accept(job("one", "1"), 0)
    dead = store.join()
    dead.hold(claim(dead).tasks[0])
    implementation.kill(dead)
    blobs: Any = Leftovers("gone", dead.name)
    store.clear_up(blobs)
    assert set(blobs.deleted) == {"gone", dead.name}
    assert deaths(store.join()) == [("1", 1)]


def test_what_the_work_is_at(store: Store) -> None:
    assert store.activity() == Activity(0, None, 0.0)
    store.jobs.accept(job("one", "1", "2"), 0)
    assert store.activity() == Activity(2, None, 1000.0)
    session = store.join()
    (first,) = session.work((), 2000.0, most=1).tasks
    session.work((), 2010.0, most=1)
    assert store.activity() == Activity(2, 2000.0, 2010.0)
    session.work([failed(first)], 2020.0)
    assert store.activity() == Activity(1, 2010.0, 2020.0)


class Leftovers:
    """Blobs of which only clearing up is of interest."""

    def __init__(self, *names: str) -> None:
        self.names = [*names]
        self.deleted: dict[str, list[str]] = {}

    def leftovers(self) -> list[str]:
        return self.names

    def recover(self, name: str, unreferenced: Callable[[list[str]], list[str]]) -> None:
        self.deleted[name] = unreferenced(["a" * 64, "b" * 64])
        self.names = [each for each in self.names if each != name]


def test_blobs_without_a_row_are_cleared_up_behind_the_dead(store: Store) -> None:
    store.jobs.accept(job("one", "1"), 0)
    blobs: Any = Leftovers("gone")
    session = store.join(blobs)
    (task,) = claim(session).tasks
    session.work([stored(task, "a" * 64)], 2000.0)
    session.patrol()
    assert blobs.deleted == {"gone": ["b" * 64]}
    session.leave()
    assert blobs.deleted[session.name] == ["b" * 64]


# -- recording ------------------------------------------------------------------------------


def test_results_stand_in_the_order_of_the_request(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2"), 0)
    session = store.join()
    first, second = claim(session).tasks
    session.work([failed(second)], 2000.0)
    session.work([stored(first)], 2001.0)
    ok, bad = store.jobs.results("one")
    assert (ok.external_id, ok.status, ok.reason, ok.cause) == ("1", Status.SUCCESS, None, None)
    assert ok.asset is not None
    assert (ok.asset.width, ok.asset.size, ok.asset.sha256) == (4, 100, "a" * 64)
    assert (bad.external_id, bad.reason, bad.cause) == ("2", "a reason", "origin-503")
    assert (bad.title, bad.asset) == ("Picture 2", None)
    found = store.jobs.get("one")
    assert found is not None
    assert (found.state, found.finished_at) == (JobState.SUCCESS, 2001.0)
    session.leave()


def test_an_update_keeps_the_media_id_and_old_results(store: Store) -> None:
    session = store.join()
    entries = []
    for n, sha256 in enumerate(("a" * 64, "b" * 64)):
        store.jobs.accept(job(f"{n}", "1"), 0)
        (task,) = claim(session).tasks
        session.work(
            [stored(task, sha256, validators=(f'"{n}"', None), metadata={"n": n})], 2000.0 + n
        )
        entries.append(store.library.find("archive", "1"))
    first, second = entries
    assert first is not None
    assert second is not None
    assert (first.id, first.version, first.updated_at) == (second.id, 1, 2000.0)
    assert (second.version, second.created_at, second.updated_at) == (2, 2000.0, 2001.0)
    assert (second.metadata, second.asset.sha256) == ({"n": 1}, "b" * 64)
    assert second == store.library.get(second.id)
    (old,), (new,) = store.jobs.results("0"), store.jobs.results("1")
    assert old.asset is not None
    assert new.asset is not None
    assert (old.asset.sha256, new.asset.sha256) == ("a" * 64, "b" * 64)
    assert store.library.original(old.asset.key) == replace(old.asset, file_name="Picture 1")
    assert store.library.original("nothing") is None
    assert sorted(store.library.blobs()) == [("a" * 64, 100), ("b" * 64, 100)]
    assert store.library.holdings() == (1, 200)
    assert store.library.sizes("archive", (50, 100, 200)) == {2: 1}
    assert store.library.sizes("other", (50,)) == {}
    session.leave()


def test_a_skipped_image_keeps_its_entry_and_takes_validators_over(store: Store) -> None:
    session = store.join()
    store.jobs.accept(job("one", "1"), 0)
    (task,) = claim(session).tasks
    session.work([stored(task, validators=('"1"', None))], 2000.0)
    before = store.library.find("archive", "1")
    store.jobs.accept(job("two", "1"), 0)
    (task,) = claim(session).tasks
    skipped = ImportOutcome(
        task, Status.SKIPPED, ALREADY_EXISTS, request="r", validators=('"2"', None)
    )
    session.work([skipped], 3000.0)
    assert store.library.find("archive", "1") == before
    (result,) = store.jobs.results("two")
    assert (result.status, result.reason) == (Status.SKIPPED, ALREADY_EXISTS)
    assert before is not None
    assert result.asset == before.asset
    store.jobs.accept(job("three", "1"), 0)
    (task,) = claim(session).tasks
    assert task.known is not None
    assert task.known.validators == ('"2"', None)
    session.leave()


def test_jobs_of_terms_that_cannot_be_used_end(store: Store) -> None:
    store.jobs.accept(job("one", "1", "2"), 0)
    store.jobs.accept(job("two", "3", webhook="https://a.example/"), 0)
    store.jobs.accept(job("three", "4", terms=OTHER_TERMS), 0)
    session = store.join()
    claimed = claim(session, 1)
    (task,) = claimed.tasks
    session.work([stored(task)], 2000.0)
    assert claimed.terms is not None
    store.jobs.fail(claimed.terms, "a reason", "job-not-possible", 3000.0)
    states = {each.id: each.state for each in store.jobs.newest(9)}
    assert states == {
        "one": JobState.SUCCESS,  # one of its images was tried
        "two": JobState.FAILED,
        "three": JobState.STARTED,
    }
    assert counts(store, "one") == Counts(success=1, failed=1)
    assert store.jobs.results("one")[1].cause == "job-not-possible"
    assert store.any_due(3000.0)
    session.leave()


def test_what_was_changed_by_hand(store: Store) -> None:
    session = store.join()
    store.jobs.accept(job("one", "1"), 0)
    (task,) = claim(session).tasks
    session.work([stored(task)], 2000.0)
    before = store.library.find("archive", "1")
    assert before is not None
    changed = store.library.change(
        before.id, lambda entry: replace(entry, metadata={"by": "hand"}, updated_at=9000.0)
    )
    assert changed == replace(before, metadata={"by": "hand"}, updated_at=9000.0, version=2)
    assert store.library.get(before.id) == changed
    with pytest.raises(ZeroDivisionError):
        store.library.change(before.id, lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    assert store.library.get(before.id) == changed
    assert store.library.change("nothing", lambda entry: entry) is None
    session.leave()


# -- following ------------------------------------------------------------------------------


def test_changes_are_told_since_the_last_look(
    implementation: Sqlite, store: Store, clock: Clock
) -> None:
    store.jobs.accept(job("before", "0"), 0)
    follower = implementation.open(clock).jobs.follow()
    assert (follower.open_jobs, list(follower.look())) == (1, [])
    store.jobs.accept(job("one", "1"), 0)
    changes = follower.look()
    assert [(each.id, each.state) for each in changes] == [("one", JobState.STARTED)]
    assert list(follower.look()) == []
    session = store.join()
    session.work([failed(each) for each in claim(session).tasks], 3000.0)
    store.jobs.accept(job("two", "2"), 0)
    changes = follower.look()
    assert {(each.id, each.state) for each in changes} == {
        ("two", JobState.STARTED),
        ("before", JobState.SUCCESS),
        ("one", JobState.SUCCESS),
    }
    assert changes[-1].seconds == 2000.0
    assert follower.open_jobs == 1
    session.leave()


def test_the_version_differs_when_another_has_committed(
    implementation: Sqlite, store: Store, clock: Clock
) -> None:
    other = implementation.open(clock)
    before = other.version()
    assert other.version() == before
    store.jobs.accept(job("one", "1"), 0)
    assert other.version() != before


# -- webhooks -------------------------------------------------------------------------------


def ended(store: Store, *webhooks: str, **fields: Any) -> None:
    """Jobs that have ended at 3000, each with a notification."""
    session = store.join()
    for n, url in enumerate(webhooks):
        store.jobs.accept(job(f"{n}-{url}", f"{n}-{url}", webhook=url, **fields), 0)
        session.work([failed(each) for each in claim(session).tasks], 3000.0)
    session.leave()


def outcome(of: Notification, state: Delivery, due: float, **fields: Any) -> DeliveryOutcome:
    return DeliveryOutcome(of, state, due, "an answer", **fields)


def test_a_notification_is_put_down_as_its_job_ends(store: Store) -> None:
    ended(store, "https://a.example/hook?x", terms=OTHER_TERMS)
    assert not store.any_due(2999.0)
    assert store.any_due(3000.0)
    session = store.join()
    (found,) = session.deliver((), 9, 3000.0)
    assert (found.url, found.endpoint) == ("https://a.example/hook?x", "https://a.example")
    assert (found.id, found.tries) == (f"msg_{found.job}", 1)
    assert found.options == OTHER_TERMS.options
    assert '"failed":1' in found.body.replace(" ", "")
    assert not store.any_due(3000.0)
    session.leave()
    assert store.any_due(3000.0)


def test_one_at_a_time_for_each_endpoint(store: Store) -> None:
    ended(store, "https://a.example/1", "https://a.example/2", "https://b.example/3")
    session = store.join()
    first = session.deliver((), 9, 3000.0)
    assert [each.url for each in first] == ["https://a.example/1", "https://b.example/3"]
    assert session.deliver((), 9, 3000.0) == []
    done = [outcome(each, Delivery.DELIVERED, 3001.0) for each in first]
    (second,) = session.deliver(done, 9, 3001.0)
    assert second.url == "https://a.example/2"
    session.leave()


def test_a_try_that_failed_is_due_later_and_counted(store: Store) -> None:
    ended(store, "https://a.example/1")
    session = store.join()
    (first,) = session.deliver((), 9, 3000.0)
    session.deliver([outcome(first, Delivery.WAITING, 4000.0)], 9, 3001.0)
    assert not store.any_due(3999.0)
    (second,) = session.deliver((), 9, 4000.0)
    assert (second.id, second.tries, second.body) == (first.id, 2, first.body)
    session.deliver([outcome(second, Delivery.FAILED, 4001.0)], 9, 4001.0)
    assert not store.any_due(1e9)
    session.leave()


def test_a_slow_endpoint_delays_all_that_waits_for_it(store: Store) -> None:
    ended(store, "https://a.example/1", "https://a.example/2", "https://b.example/3")
    session = store.join()
    slow, other = session.deliver((), 9, 3000.0)
    left = [
        outcome(slow, Delivery.WAITING, 3010.0, slow_until=5000.0),
        outcome(other, Delivery.DELIVERED, 3000.0),
    ]
    assert session.deliver(left, 9, 3001.0) == []
    assert not store.any_due(4999.0)
    assert store.any_due(5000.0)
    session.leave()


def test_gone_disables_all_that_waits_for_the_same_url(store: Store) -> None:
    ended(store, "https://a.example/1", "https://a.example/1", "https://a.example/2")
    session = store.join()
    (first,) = session.deliver((), 9, 3000.0)
    (left,) = session.deliver([outcome(first, Delivery.DISABLED, 3000.0)], 9, 3001.0)
    assert left.url == "https://a.example/2"
    session.deliver([outcome(left, Delivery.DELIVERED, 3001.0)], 9, 3002.0)
    assert not store.any_due(1e9)
    session.leave()


def test_a_late_answer_of_a_webhook_is_fenced_off(store: Store, clock: Clock) -> None:
    ended(store, "https://a.example/1")
    hung, other = store.join(), store.join()
    (late,) = hung.deliver((), 9, 3000.0)
    clock.at += LEASE + 1
    other.patrol()
    (again,) = other.deliver((), 9, 3000.0)
    assert again.tries == 2
    hung.deliver([outcome(late, Delivery.FAILED, 3000.0)], 0, 3000.0)
    other.deliver([outcome(again, Delivery.WAITING, 4000.0)], 0, 3000.0)
    assert store.any_due(4000.0)
    for session in (hung, other):
        session.leave()


def test_the_outbox_tells_what_it_has_newest_first(store: Store) -> None:
    ended(store, "https://a.example/1", "https://b.example/2")
    session = store.join()
    first, second = session.deliver((), 9, 3000.0)
    assert [each.under_way for each in store.outbox()] == [True, True]
    session.deliver([outcome(second, Delivery.FAILED, 3001.0)], 0, 3001.0)
    newest, oldest = store.outbox()
    assert (newest.job, newest.url) == ("1-https://b.example/2", "https://b.example/2")
    assert (newest.state, newest.tries, newest.answer) == (Delivery.FAILED, 1, "an answer")
    assert (newest.created_at, newest.ended_at) == (3000.0, 3001.0)
    assert (oldest.id, oldest.state, oldest.ended_at) == (first.id, Delivery.WAITING, None)
    assert store.outbox(Delivery.FAILED) == [newest] == store.outbox(most=1)
    assert store.outbox(job=oldest.job) == [oldest]
    assert store.outbox(Delivery.DELIVERED) == store.outbox(job="x") == []
    session.leave()


@pytest.mark.parametrize("state", [each for each in Delivery if each is not Delivery.WAITING])
def test_a_notification_is_sent_again_under_its_id(store: Store, state: Delivery) -> None:
    ended(store, "https://a.example/1")
    session = store.join()
    (first,) = session.deliver((), 9, 3000.0)
    assert store.send_again([first.id], 3000.0) == ()
    assert session.deliver((), 9, 9000.0) == [], "one under way stays under way"
    session.deliver([outcome(first, state, 3001.0)], 0, 3001.0)
    assert list(store.send_again([first.id, "x"], 5000.0)) == ["x"]
    assert not store.any_due(1e9), "nothing is changed where one is unknown"
    assert store.send_again([first.job], 5000.0) == ()
    assert not store.any_due(4999.0)
    (again,) = session.deliver((), 9, 5000.0)
    assert (again.id, again.body, again.tries) == (first.id, first.body, 1)
    session.leave()


# -- tokens, the rest -----------------------------------------------------------------------


def test_tokens_are_kept_by_their_hash(store: Store) -> None:
    first = StoredToken("t1", "one", "a" * 64, ("read", "write"), 1.0, None)
    second = StoredToken("t2", "two", "b" * 64, (), 2.0, 9.5)
    for token in (second, first):
        store.tokens.add(token)
    assert store.tokens.all() == [first, second]
    assert store.tokens.of_hash("b" * 64) == second
    assert store.tokens.of_hash("c" * 64) is None
    assert store.tokens.revoke("t1", 5.0)
    assert store.tokens.revoke("t1", 6.0)
    assert not store.tokens.revoke("t3", 5.0)
    assert store.tokens.of_hash("a" * 64) == replace(first, revoked_at=5.0)


def test_a_sound_store_has_no_complaints(store: Store) -> None:
    store.jobs.accept(job("one", "1"), 0)
    assert list(store.complaints()) == []


def test_what_was_sent_comes_back_as_it_was(store: Store) -> None:
    strange = image("\u2028", "https://e.example/ü", metadata={"a": [1, None, {"ß": 2.5}]})
    strange = replace(strange, file_name="\U0001f600", media_type="photo")
    asked = ImportRequest("sÿstem", (strange,))
    store.jobs.accept(NewJob("one", None, "b", asked, TERMS, 1000.0), 0)
    session = store.join()
    (task,) = claim(session).tasks
    assert (task.image, task.system_name) == (strange, "sÿstem")
    session.leave()
