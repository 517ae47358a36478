"""Leases, fencing, and the ends of workers: killed, hung, orphaned, told to stop."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from invariants import assert_sound
from origins import Clock, Open, Origin, image, picture, request, wait_for

from ldimport.engine import Engine, maintenance
from ldimport.engine.blobs import BlobFolder, FolderWriter
from ldimport.engine.records import ImportOutcome, NewBytes
from ldimport.engine.store import open_store
from ldimport.engine.store.sqlite.sessions import SqliteSession
from ldimport.engine.worker import LINGER, Worker, run_worker
from ldimport.errors import LdimportError, TemporaryError
from ldimport.model import Counts, Facts, ImageType, Integrity, JobOptions, Limits, Status
from ldimport.system import ProcessLock


@contextmanager
def worker(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ldimport.engine.worker", str(folder), *options],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_work_of_a_killed_worker_is_free_at_once(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    origin.delay = 60.0
    job_id = engine.submit(request(*(image(f"{n}", url) for n in range(5))))
    with worker(engine.folder) as process:
        wait_for(lambda: origin.hits)
        process.kill()
        process.wait()
    origin.delay = 0.0
    engine.run()
    assert engine.progress(job_id) == Counts(success=5)
    assert_sound(engine)


def test_a_pool_starts_killed_workers_again(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    origin.delay = 60.0
    with engine.working(1):
        job_id = engine.submit(request(image("1", url)))
        wait_for(lambda: origin.hits)
        origin.delay = 0.0
        (lock,) = (engine.folder / "workers").iterdir()
        os.kill(int(str(ProcessLock(lock).holder()["pid"])), signal.SIGKILL)
        wait_for(lambda: not engine.has_open())
        engine.check_workers()
    assert engine.progress(job_id) == Counts(success=1)
    assert_sound(engine)


def test_a_hung_worker_is_fenced_off(open_engine: Open, origin: Origin) -> None:
    """SIGSTOP past the lease, then SIGCONT: the result of the new owner stands."""
    engine = open_engine(limits=Limits(lease_seconds=0.6))
    url = origin.put("a.jpg", picture(size=(10, 10)))
    origin.delay = 0.5
    job_id = engine.submit(request(image("1", url)))
    with worker(engine.folder) as process:
        wait_for(lambda: origin.hits)
        process.send_signal(signal.SIGSTOP)
        origin.put("a.jpg", picture(size=(20, 20)))
        origin.delay = 0.0
        engine.run()
        entry = engine.find("archive", "1")
        assert entry is not None
        assert entry.asset.width == 20
        process.send_signal(signal.SIGCONT)
        assert process.stdin is not None
        again = engine.submit(request(image("2", url)))  # it works on, under a new number
        wait_for(lambda: not engine.has_open())
        process.terminate()
        assert process.wait(20) == 0
    assert engine.find("archive", "1") == entry
    assert engine.progress(job_id) == engine.progress(again) == Counts(success=1)
    assert_sound(engine)


def test_a_slow_fetch_keeps_its_lease(engine: Engine, origin: Origin, clock: Clock) -> None:
    """While the worker lives its lease is renewed, however long the fetch takes."""
    lease = engine.limits.lease_seconds
    stores = [open_store(engine.folder, clock) for _ in range(2)]
    store, other = stores[0], stores[1].join()
    held = origin.hold()
    engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    work = threading.Thread(
        target=run_worker, args=(store, BlobFolder(engine.folder)), kwargs={"until_done": True}
    )
    work.start()

    def expires() -> float:
        sql = "SELECT max(expires) FROM worker"
        return stores[1]._catalogue.rows(sql)[0][0]  # type: ignore[attr-defined,no-any-return]

    wait_for(lambda: origin.hits)
    for _ in range(3):
        clock.at += lease / 2
        wait_for(lambda: expires() == clock.at + lease)
        other.patrol()
        assert not stores[1].jobs.any_free()
    held.set()
    work.join()
    other.leave()
    for each in stores:
        each.close()
    assert len(origin.hits) == 1
    assert_sound(engine)


def test_of_few_images_each_worker_has_some(engine: Engine, clock: Clock) -> None:
    engine.submit(request(*(image(f"{n}", "https://pictures.example/") for n in range(80))))
    blobs, leased = BlobFolder(engine.folder), []
    for _ in range(4):
        worker = Worker(engine.store, engine.store.join(blobs), blobs, lambda: False, 4, clock)
        worker._refill(None)
        leased.append(len(worker._remote))
    assert leased == [10, 10, 10, 10]


def test_a_worker_that_lost_its_leases_forgets_what_it_had(engine: Engine, clock: Clock) -> None:
    """What others have now is not fetched once more, only to be dropped."""
    engine.submit(request(*(image(f"{n}", "https://pictures.example/") for n in range(40))))
    blobs = BlobFolder(engine.folder)
    session = engine.store.join(blobs)
    worker = Worker(engine.store, session, blobs, lambda: False, 1, clock)
    assert worker._refill(None) is not None
    assert len(worker._remote) == 40
    with engine.store._catalogue.writing() as connection:  # type: ignore[attr-defined]
        connection.execute("UPDATE item SET worker = NULL")
        connection.execute("DELETE FROM worker")
    worker._commit()
    assert not worker._remote
    session.leave()


def test_an_outcome_is_recorded_soon_although_other_images_take_long(
    engine: Engine, clock: Clock
) -> None:
    job_id = engine.submit(request(*(image(f"{n}", "https://pictures.example/") for n in range(3))))
    blobs, seconds = BlobFolder(engine.folder), [0.0]
    session = engine.store.join(blobs)
    worker = Worker(
        engine.store, session, blobs, lambda: False, 1, clock, monotonic=lambda: seconds[-1]
    )
    worker._refill(None)
    for at, known in [(LINGER / 2, 0), (100.0, 2)]:
        seconds.append(at)
        worker._finish(ImportOutcome(worker._remote.popleft(), Status.FAILED, "no"))
        assert engine.progress(job_id) == Counts(pending=3 - known, failed=known)
    session.leave()


def test_a_worker_without_work_looks_for_it_now_and_then(engine: Engine, clock: Clock) -> None:
    blobs, slept = BlobFolder(engine.folder), [0.0]
    session = engine.store.join(blobs)
    worker = Worker(
        engine.store, session, blobs, lambda: len(slept) > 99, 1, clock,
        monotonic=lambda: sum(slept), sleep=slept.append,
    )  # fmt: skip
    worker._wait(engine.store.version())
    assert 1.0 <= sum(slept) < 1.1 and len(slept) == 21
    session.leave()


def test_a_worker_leaves_no_decoder_behind(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    options = JobOptions(allow_hosts=(origin.host,), integrity=Integrity.FULL)
    job_id = engine.submit(request(image("1", url)), options=options)
    with pytest.MonkeyPatch.context() as patch:
        started: list[subprocess.Popen[bytes]] = []
        start = subprocess.Popen.__init__

        def noted(self: subprocess.Popen[bytes], *args: object, **more: object) -> None:
            started.append(self)
            start(self, *args, **more)  # type: ignore[call-overload]

        patch.setattr(subprocess.Popen, "__init__", noted)
        run_worker(engine.store, BlobFolder(engine.folder), until_done=True)
    assert engine.progress(job_id) == Counts(success=1)
    assert [each.returncode for each in started] == [-signal.SIGKILL]


def test_a_lock_that_somebody_removed_meanwhile_guards_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = ProcessLock.acquire
    removed: list[Path] = []

    def acquire_and_lose(lock: ProcessLock, command: str = "") -> bool:
        taken = acquire(lock, command)
        if not removed:
            lock.path.unlink()
            removed.append(lock.path)
        return taken

    monkeypatch.setattr(ProcessLock, "acquire", acquire_and_lose)
    session = engine.store.join()
    assert (engine.folder / "workers" / f"{session.name}.lock").exists()
    session.leave()


def test_a_worker_ends_in_order_when_told(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    origin.delay = 30.0
    engine.submit(request(*(image(f"{n}", url) for n in range(40))))
    with worker(engine.folder) as process:
        wait_for(lambda: origin.hits)
        process.send_signal(signal.SIGINT)  # Ctrl-C is left to the parent
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert list((engine.folder / "workers").iterdir()) == []
    assert list((engine.folder / "tmp").iterdir()) == []
    assert engine.has_open()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_do_not_outlive_their_parent(engine: Engine, origin: Origin) -> None:
    origin.put("a.jpg", picture())
    script = f"""
import time
from ldimport.engine import Engine
with Engine({str(engine.folder)!r}) as engine, engine.working(2):
    print("ready", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        folder = engine.folder / "workers"
        wait_for(lambda: folder.is_dir() and len(pids(folder)) == 2)
        found = pids(folder)
        parent.kill()
    wait_for(lambda: not any(map(alive, found)))


def test_a_worker_whose_parent_is_another_ends_although_its_input_is_open(
    engine: Engine,
) -> None:
    """Whoever started it is gone, and a third process still holds the other end of its input."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with worker(engine.folder, "--parent", str(gone.pid)) as process:
        assert process.wait(60) == 0


def test_a_worker_stays_with_its_parent_until_its_input_ends(engine: Engine) -> None:
    with worker(engine.folder, "--parent", str(os.getpid())) as process:
        wait_for(lambda: pids(engine.folder / "workers"))
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        assert process.wait(60) == 0


def pids(folder: Path) -> list[int]:
    """Processes that hold the locks of workers."""
    holders = [ProcessLock(path).holder() for path in folder.glob("*.lock")]
    return [int(str(holder["pid"])) for holder in holders if holder]


def test_ctrl_c_is_left_to_the_parent(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    with worker(engine.folder) as process:
        for n in range(2):
            job_id = engine.submit(request(image(f"{n}", url)))
            wait_for(lambda job=job_id: engine.progress(job) == Counts(success=1))  # type: ignore[misc]
            process.send_signal(signal.SIGINT)
        assert process.poll() is None


def test_a_worker_that_waits_begins_new_jobs(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    with engine.working(1):
        for n in range(3):
            job_id = engine.submit(request(image(f"{n}", url)))
            wait_for(lambda: not engine.has_open())
            assert engine.progress(job_id) == Counts(success=1)
    assert_sound(engine)


def test_workers_take_no_modules_from_the_working_folder(
    engine: Engine, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    job_id = engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    engine.run(workers=1)
    assert engine.progress(job_id) == Counts(success=1)


def test_no_workers_no_work(engine: Engine, origin: Origin) -> None:
    with engine.working(0):
        engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    assert engine.has_open()


# -- what a dead worker leaves behind -------------------------------------------------------


def leave_behind(engine: Engine, data: bytes) -> str:
    """A worker that stored a blob and died before its row was written; the blob's name."""
    blobs = BlobFolder(engine.folder)
    session = engine.store.join(blobs)
    writer = blobs.writer(session.name)
    sha256 = writer.put(data)
    writer.settle()
    assert isinstance(session, SqliteSession)
    session._lock.release()
    return sha256


def test_an_orphaned_blob_is_removed_at_the_next_start(engine: Engine) -> None:
    orphan = leave_behind(engine, b"orphan")
    assert BlobFolder(engine.folder).size(orphan) == 6
    engine.run()
    assert BlobFolder(engine.folder).size(orphan) is None
    assert_sound(engine)


def test_what_a_dead_worker_left_is_gone_at_the_next_start_whatever_that_does(
    engine: Engine,
) -> None:
    leave_behind(engine, b"orphan")
    engine.close()
    with Engine(engine.folder) as again:
        assert_sound(again)


def test_what_a_worker_left_that_died_at_the_end_is_gone_with_the_run(engine: Engine) -> None:
    with engine.working(0):
        leave_behind(engine, b"orphan")
    assert_sound(engine)


def test_what_a_fenced_writer_stored_late_does_not_stay(engine: Engine, origin: Origin) -> None:
    """Its source has changed meanwhile, so nobody else stores these bytes."""
    engine.submit(request(image("1", origin.put("a.jpg", picture(size=(20, 20))))))
    blobs = BlobFolder(engine.folder)
    late = engine.store.join(blobs)
    writer = blobs.writer(late.name)
    (task,) = late.work((), 1000.0, most=1).tasks
    with engine.store._catalogue.writing() as connection:  # type: ignore[attr-defined]
        connection.execute("UPDATE item SET worker = NULL")
        connection.execute("DELETE FROM worker")
    engine.run()
    sha256 = writer.put(b"what the source was before")
    writer.settle()
    new = NewBytes(sha256, sha256, 26, Facts(ImageType.JPG, 4, 3))
    done = ImportOutcome(task, Status.SUCCESS, metadata={}, new=new, request="r")
    assert not late.work([done], 1001.0).kept
    writer.forget()
    assert blobs.size(sha256) is None
    writer.put(b"it works on")
    writer.settle()
    late.leave()
    assert_sound(engine)


def orphaned(engine: Engine) -> list[str]:
    """Blobs of which nobody knows; their names."""
    writer = BlobFolder(engine.folder).writer("before")
    names = sorted(writer.put(b"%d" % n) for n in range(3))
    writer.settle()
    writer.forget()
    (engine.folder / "tmp" / "before").rmdir()
    return names


def test_orphans_are_found_and_removed_by_a_check(engine: Engine, origin: Origin) -> None:
    engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    engine.run()
    orphans = orphaned(engine)
    blobs = BlobFolder(engine.folder)
    session = engine.store.join(blobs)
    writer = blobs.writer(session.name)
    under_way = writer.put(b"under way")
    writer.settle()
    health = maintenance.check(engine.folder)
    assert (sorted(health.removed), health.sound) == (orphans, True)
    assert blobs.size(under_way) == 9
    session.leave()
    assert_sound(engine)


def test_orphans_are_removed_by_a_worker_that_has_time(engine: Engine) -> None:
    orphans = orphaned(engine)
    blobs = BlobFolder(engine.folder)
    session = engine.store.join(blobs)
    asked = iter(range(10_000))
    ends = {"monotonic": lambda: 0.0, "sleep": lambda _: None}
    worker = Worker(engine.store, session, blobs, lambda: next(asked) > 1_000, 1, Clock(), **ends)
    worker.run(until_done=False)
    session.leave()
    assert [each for each in orphans if blobs.size(each) is not None] == []
    assert_sound(engine)


def test_who_sends_webhooks_clears_up_no_blobs(engine: Engine) -> None:
    orphan = leave_behind(engine, b"orphan")
    sender = engine.store.join()
    sender.patrol()
    sender.leave()
    assert list(BlobFolder(engine.folder).leftovers()) != []
    engine.run()
    assert BlobFolder(engine.folder).size(orphan) is None
    assert_sound(engine)


def test_a_dead_workers_blob_that_has_a_row_stays(engine: Engine, origin: Origin) -> None:
    data = picture()
    leave_behind(engine, data)
    engine.submit(request(image("1", origin.put("a.jpg", data))))
    engine.run()
    assert_sound(engine)
    (engine.folder / "tmp" / "gone").mkdir()
    (engine.folder / "tmp" / "gone" / hashlib.sha256(data).hexdigest()).write_bytes(b"half")
    engine.run()
    assert_sound(engine)


def test_a_blob_removed_between_storing_and_recording_is_stored_again(
    engine: Engine, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = FolderWriter.settle
    removed: list[str] = []

    def settle_and_lose(writer: FolderWriter) -> None:
        settle(writer)
        if writer._group and not removed:
            removed.extend(writer._group)
            BlobFolder(engine.folder).delete(removed[0])

    monkeypatch.setattr(FolderWriter, "settle", settle_and_lose)
    job_id = engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    engine.run()
    assert removed
    assert engine.progress(job_id) == Counts(success=1)
    assert_sound(engine)


# -- trouble --------------------------------------------------------------------------------


def test_a_disk_that_does_not_take_blobs_stops_the_run_and_loses_nothing(
    engine: Engine, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = engine.submit(request(image("1", origin.put("a.jpg", picture()))))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(TemporaryError, match="full"):
            engine.run()
    engine.run()
    assert engine.progress(job_id) == Counts(success=1)
    assert_sound(engine)


def test_a_workers_error_reaches_whoever_waits(engine: Engine, origin: Origin) -> None:
    engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    (engine.folder / "tmp").write_bytes(b"in the way")
    with pytest.raises(LdimportError) as caught:
        engine.run(workers=1)
    assert str(engine.folder) in caught.value.message


def test_a_bug_met_by_one_image_does_not_stop_the_others(
    engine: Engine, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ldimport.engine import import_image

    inspect = import_image.inspect

    def broken(data: bytes, limits: Limits) -> object:
        facts = inspect(data, limits)
        if facts.width == 13:
            raise ZeroDivisionError("thirteen")
        return facts

    monkeypatch.setattr(import_image, "inspect", broken)
    bad = origin.put("bad.jpg", picture(size=(13, 13)))
    good = origin.put("good.jpg", picture())
    job_id = engine.submit(request(image("1", bad), image("2", good)))
    engine.run()
    bug, fine = engine.status(job_id).results
    assert bug.reason == "a bug in ldimport: ZeroDivisionError: thirteen"
    assert (bug.cause, bug.retryable, fine.status) == ("bug", False, Status.SUCCESS)


def test_options_of_the_job_decide_not_those_of_the_worker(
    open_engine: Open, origin: Origin
) -> None:
    strict, open_ = open_engine(allow_hosts=()), open_engine()
    url = origin.put("a.jpg", picture())
    refused = strict.submit(request(image("1", url)))
    allowed = strict.submit(request(image("1", url)), options=JobOptions((origin.host,)))
    open_.run()
    assert open_.progress(refused) == Counts(failed=1)
    assert open_.progress(allowed) == Counts(success=1)


def test_a_worker_that_just_starts_is_not_cleared_up_behind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock file is there but not locked yet when another worker looks around."""
    blobs = BlobFolder(engine.folder)
    lock = ProcessLock(engine.folder / "workers" / "newcomer.lock")
    lock.path.parent.mkdir(exist_ok=True)
    lock.path.touch()
    catalogue = engine.store._catalogue  # type: ignore[attr-defined]
    writing, started = catalogue.writing, []

    @contextmanager
    def slow_writing() -> Iterator[object]:
        if not started and lock.acquire():  # the newcomer comes in while the other waits
            blobs.writer("newcomer")
            started.append(lock)
        with writing() as connection:
            yield connection

    monkeypatch.setattr(catalogue, "writing", slow_writing)
    session = engine.store.join(blobs)
    session.patrol()
    if started:
        assert "newcomer" in blobs.leftovers()
        lock.release()
    else:  # it found the lock taken, and takes another name
        assert not lock.path.exists()
    session.leave()
