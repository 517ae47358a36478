"""One image never stops the engine: it is found out, tried alone, and given up after three deaths,
while all others go through."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from invariants import assert_sound
from origins import Open, Origin, image, picture, request, wait_for

from ldimport.causes import Cause
from ldimport.engine import Engine
from ldimport.engine.records import ImportTask
from ldimport.engine.worker_pool import WorkerPool
from ldimport.errors import TemporaryError
from ldimport.model import Counts, Limits, Status
from ldimport.system import ProcessLock, start_thread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no timers in the kernel")

SEAM = """
import os, re, sys
if "ldimport.engine.worker" in sys.orig_argv:
    from ldimport.engine.import_image import ImageImporter
    answered = ImageImporter._answered

    def poisoned(self, task, answer):
        if task.image.id.startswith("poison"):
            {what}
        return answered(self, task, answer)

    ImageImporter._answered = poisoned
"""
"""A worker process meets this before its first import."""
HANGS = {
    "python": "while True: pass",
    "c": "re.match('(a+)+$', 'a' * 64 + 'b')",  # the interpreter's lock is held for ever
    "killed": "os.kill(os.getpid(), 9)",
}


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Workers that are started from now on do the named thing over images called poison."""

    def make(what: str) -> None:
        (tmp_path / "seam").mkdir()
        (tmp_path / "seam" / "sitecustomize.py").write_text(SEAM.format(what=what))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "seam"))

    return make  # type: ignore[return-value]


@pytest.mark.parametrize("what", HANGS)
def test_an_image_that_stops_workers_fails_alone(
    open_engine: Open, origin: Origin, poisoned: object, what: str
) -> None:
    poisoned(HANGS[what])  # type: ignore[operator]
    engine = open_engine(limits=Limits(lease_seconds=3.0))
    url = origin.put("a.jpg", picture())
    ids = [*(f"{n}" for n in range(20)), "poison", *(f"{n}" for n in range(20, 40))]
    job_id = engine.submit(request(*(image(each, url) for each in ids)))
    engine.run(workers=1)
    assert engine.progress(job_id) == Counts(success=40, failed=1)
    (bad,) = [r for r in engine.status(job_id).results if r.status is Status.FAILED]
    assert (bad.external_id, bad.reason) == ("poison", "stopped the worker 3 times")
    assert (bad.cause, bad.retryable) == (Cause.STOPPED_WORKER.code, False)
    assert_sound(engine)


def test_many_images_that_stop_workers_are_no_fault_of_the_workers(
    open_engine: Open, origin: Origin, poisoned: object
) -> None:
    """Thirty deaths in a row, each within a moment of its start."""
    poisoned(HANGS["killed"])  # type: ignore[operator]
    engine = open_engine()
    url = origin.put("a.jpg", picture())
    ids = [*(f"poison-{n}" for n in range(10)), *(f"{n}" for n in range(10))]
    job_id = engine.submit(request(*(image(each, url) for each in ids)))
    engine.run(workers=1)
    assert engine.progress(job_id) == Counts(success=10, failed=10)


ORIGINS = """
import os, sys
if "ldimport.engine.worker" in sys.orig_argv:
    import ldimport.net.{module} as module
    known = module.{name}

    def poisoned(*args, **options):
        if "poison" in str(args):
            os.kill(os.getpid(), 9)
        return known(*args, **options)

    module.{name} = poisoned
"""


@pytest.mark.parametrize(("module", "name"), [("guard", "parse"), ("answers", "fetched")])
def test_an_address_or_answer_that_stops_workers_fails_alone(
    open_engine: Open, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    module: str, name: str,
) -> None:  # fmt: skip
    (tmp_path / "seam").mkdir()
    seam = ORIGINS.format(module=module, name=name)
    (tmp_path / "seam" / "sitecustomize.py").write_text(seam)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "seam"))
    engine = open_engine()
    good, bad = (origin.put(name, picture()) for name in ("a.jpg", "poison.jpg"))
    images = [*(image(f"{n}", good) for n in range(10)), image("bad", bad)]
    job_id = engine.submit(request(*images))
    engine.run(workers=2)
    assert engine.progress(job_id) == Counts(success=10, failed=1)
    (failed,) = [r for r in engine.status(job_id).results if r.status is Status.FAILED]
    assert (failed.external_id, failed.cause) == ("bad", Cause.STOPPED_WORKER.code)


def test_neighbours_of_an_image_that_killed_a_worker_are_not_counted(
    open_engine: Open, origin: Origin, poisoned: object
) -> None:
    poisoned(HANGS["killed"])  # type: ignore[operator]
    engine = open_engine()
    url = origin.put("a.jpg", picture())
    ids = [*(f"{n}" for n in range(10)), "poison-1", "poison-2"]
    job_id = engine.submit(request(*(image(each, url) for each in ids)))
    engine.run(workers=2)
    assert engine.progress(job_id) == Counts(success=10, failed=2)
    rows = engine.store._catalogue.rows("SELECT external_id, deaths FROM item")  # type: ignore[attr-defined]
    deaths = {row["external_id"]: row["deaths"] for row in rows}
    assert deaths == {each: 3 if "poison" in each else 0 for each in ids}


HUNG = """
import sys
from ldimport.engine import Engine
with Engine(sys.argv[1]) as engine, engine.working(1):
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death is Linux's")
def test_a_worker_that_hangs_dies_with_its_parent(
    open_engine: Open, origin: Origin, poisoned: object
) -> None:
    """Its lease would let it hang for minutes; no thread of its own can run."""
    poisoned(HANGS["c"])  # type: ignore[operator]
    engine = open_engine(limits=Limits(lease_seconds=600.0))
    engine.submit(request(image("poison", origin.put("a.jpg", picture()))))
    command = [sys.executable, "-c", HUNG, str(engine.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as parent:
        wait_for(lambda: held(engine.folder))
        (pid,) = held(engine.folder)
        time.sleep(0.1)  # from saying that it begins to hanging
        parent.kill()
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


def held(folder: Path) -> list[int]:
    """Processes that have an image in hand."""
    holders = [ProcessLock(path).holder() for path in (folder / "workers").glob("*.lock")]
    return [int(str(each["pid"])) for each in holders if each.get("note")]


def test_a_watched_process_dies_of_time_and_of_work() -> None:
    for hang, seconds, code in (
        ("time.sleep(60)", (60.0, 0.05), -signal.SIGALRM),
        ("re.match('(a+)+$', 'a' * 64 + 'b')", (0.05, 60.0), -signal.SIGPROF),
        ("end_after(0, 0); time.sleep(0.3)", (0.05, 0.1), 0),
    ):
        script = f"""
import re, time
from ldimport.system import end_after
end_after(*{seconds}); {hang}
"""
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code


# -- threads and processes that cannot start ------------------------------------------------


def refuse(*_: object, **__: object) -> None:
    raise RuntimeError("can't start new thread")


def test_a_thread_that_cannot_start_is_a_passing_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(TemporaryError, match="no thread could be started") as caught:
        start_thread(print)
    assert caught.value.code == "no-process"
    assert "ulimit" in (caught.value.hint or "")


def test_a_pool_without_its_thread_ends_the_workers_it_has(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recorded(*words: object, **options: object) -> subprocess.Popen[bytes]:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        begun.append(popen(*words, **options))  # type: ignore[call-overload]
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    with pytest.raises(TemporaryError, match="no thread"), engine.working(1):
        pytest.fail("it must not get here")
    assert [each.poll() for each in begun] == [0]


def test_a_worker_that_cannot_have_a_thread_says_so(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message reaches whoever waits for it, as an error that passes."""
    (tmp_path / "seam").mkdir()
    (tmp_path / "seam" / "sitecustomize.py").write_text(
        "import sys, threading\n"
        "def refuse(self): raise RuntimeError('no more')\n"
        "if 'ldimport.engine.worker' in sys.orig_argv: threading.Thread.start = refuse\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "seam"))
    engine.submit(request(image("1", "https://pictures.example/")))
    with pytest.raises(TemporaryError, match="no thread could be started: no more"):
        engine.run(workers=1)


def test_a_workers_error_is_heard_though_no_file_can_be_written(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is broken, and with it whatever the worker writes beside what it has to say."""
    (tmp_path / "seam").mkdir()
    (tmp_path / "seam" / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'ldimport.engine.worker' in sys.orig_argv:\n"
        "    os.dup2(os.open('/dev/full', os.O_WRONLY), 2)\n"
        "    def broken(fd): raise OSError(5, 'Input/output error')\n"
        "    os.fsync = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "seam"))
    engine.submit(request(image("1", "https://pictures.example/")))
    with pytest.raises(TemporaryError, match="Input/output error"):
        engine.run(workers=1)


def test_a_pool_that_gets_no_process_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    for name in ("subprocess.Popen", "tempfile.TemporaryFile"):
        with monkeypatch.context() as patched:
            patched.setattr(name, full)
            pool = WorkerPool(tmp_path, 1)
            with pytest.raises(TemporaryError, match="Resource temporarily unavailable"):
                pool.start()
            pool.end()


# -- is anything moving ---------------------------------------------------------------------


def test_an_engine_says_when_nothing_moves(open_engine: Open) -> None:
    now = [1_000_000.0]
    engine = open_engine(now=lambda: now[0])
    lease = engine.limits.lease_seconds
    assert engine.stalled() == (False, None)
    engine.submit(request(*(image(f"{n}", "https://pictures.example/") for n in range(2))))
    assert engine.stalled() == (False, None)
    now[0] += lease + 1  # accepted, and nobody works
    assert engine.stalled() == (True, None)
    session = engine.store.join()
    (first,) = session.work((), now[0], most=1).tasks
    assert isinstance(first, ImportTask)
    now[0] += 10
    assert engine.stalled() == (False, 10.0)
    session.work((), now[0], most=0)  # a slow image, but its worker lives
    now[0] += lease
    assert engine.stalled() == (False, 10.0 + lease)
    now[0] += 1
    assert engine.stalled() == (True, 11.0 + lease)
    session.leave()
    engine.close()
