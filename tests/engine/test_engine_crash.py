"""kill -9 at random moments of parent and workers: nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from invariants import assert_sound
from origins import CONFIG, Origin, image, picture, request, wait_for

from ldimport.engine import Engine
from ldimport.model import Counts, JobState

PROGRAM = """
import json, sys
from ldimport.engine import Engine
from ldimport.model import Image, ImportRequest
folder, config, host, images, batch, workers = sys.argv[1:]
with Engine(
    folder, project_config=json.loads(config), allow_hosts=[host], integrity="fast"
) as engine:
    for at in range(0, int(images), int(batch)):
        numbers = range(at, min(at + int(batch), int(images)))
        request = ImportRequest("archive", tuple(
            Image(f"{n}", f"http://{host}/{n}.jpg", f"Picture {n}", {}) for n in numbers))
        print(engine.submit(request, key=f"batch {at}"), flush=True)
    engine.run(int(workers))
"""
"""A run that may be killed at any moment and be started again."""


def program(folder: Path, origin: Origin, images: int, workers: int = 2) -> list[str]:
    """The command, with one bad picture among those at the origin."""
    for n in range(images):
        origin.put(f"{n}.jpg", picture(color=f"#{n % 4096:03x}", size=(8 + n % 5, 8)))
    origin.put("3.jpg", b"not a picture")
    batch = max(20, images // 4)
    numbers = map(str, (images, batch, workers))
    return [sys.executable, "-c", PROGRAM, str(folder), json.dumps(CONFIG), origin.host, *numbers]


def rounds(folder: Path, origin: Origin, images: int, kills: int, seed: int) -> None:
    """Start the program, kill it or one of its workers, ``kills`` times; then let it finish, and
    look at everything."""
    chance = random.Random(seed)
    command = program(folder, origin, images)
    acknowledged: set[bytes] = set()
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            enough = len(origin.hits) + chance.randrange(images // kills)
            wait_for(lambda: len(origin.hits) > enough or process.poll() is not None)  # noqa: B023
            kill_someone(folder, process, chance)
            process.kill()
            acknowledged |= set(process.communicate()[0].split())
    done = subprocess.run(command, capture_output=True, check=True)
    jobs = set(done.stdout.split())
    assert acknowledged <= jobs
    with Engine(folder) as engine:
        look_at(engine, images, {job.decode() for job in jobs})


def kill_someone(folder: Path, parent: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Often a worker dies first, while its parent goes on for a moment."""
    if chance.random() < 0.5 or not (folder / "workers").is_dir():
        return
    ours = subprocess.run(["pgrep", "-P", str(parent.pid)], capture_output=True, check=False)
    for pid in ours.stdout.split()[:1]:
        os.kill(int(pid), signal.SIGKILL)
        time.sleep(chance.uniform(0, 0.1))


def look_at(engine: Engine, images: int, jobs: set[str]) -> None:
    """Every image has one final result, every good one an entry of its own."""
    assert {job.id for job in engine.jobs(1_000)} == jobs
    counts = [engine.progress(job) for job in jobs]
    assert sum(each.success for each in counts if each) == images - 1
    assert sum(each.total for each in counts if each) == images
    results = [result for job in jobs for result in engine.status(job).results]
    assert sorted(int(result.external_id) for result in results) == list(range(images))
    media = {result.asset.media_id for result in results if result.asset}
    assert len(media) == images - 1
    with engine.store._catalogue.writing() as connection:
        for table in ("media", "asset"):
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert found == images - 1, table
    assert {engine.status(job).state for job in jobs} == {JobState.SUCCESS}
    assert_sound(engine)


def test_a_few_kills(tmp_path: Path, origin: Origin) -> None:
    origin.delay = 0.02
    rounds(tmp_path / "engine", origin, images=120, kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_kills(tmp_path: Path, origin: Origin, seed: int) -> None:
    origin.delay = 0.02
    rounds(tmp_path / "engine", origin, images=2_000, kills=10, seed=seed)


def test_a_repeat_of_everything_after_the_end_is_skipped(tmp_path: Path, origin: Origin) -> None:
    """The same batches under other keys: identity makes the repeat harmless."""
    folder = tmp_path / "engine"
    rounds(folder, origin, images=60, kills=0, seed=0)
    with Engine(folder, project_config=CONFIG, allow_hosts=[origin.host]) as engine:
        names = [image(f"{n}", origin.url(f"{n}.jpg")) for n in range(60)]
        job_id = engine.submit(request(*names))
        engine.run()
        assert engine.progress(job_id) == Counts(skipped=59, failed=1)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fsync", "fdatasync", "rename", "unlink", "mkdir"])
def test_every_step_to_the_disk_is_a_safe_place_to_die(
    tmp_path: Path, origin: Origin, call: str
) -> None:
    """Killed at the first, second, third … ``call``, until there is none left; each time
    the same command finishes the work."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    for n in range(1, 200):
        folder = tmp_path / f"{n}"
        command = program(folder, origin, images=6, workers=0)
        inject = f"inject={call}:signal=SIGKILL:when={n}"
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
        first = subprocess.run([*strace, *command], capture_output=True, check=False)
        second = subprocess.run(command, capture_output=True, check=True)
        assert set(first.stdout.split()) <= set(second.stdout.split())
        with Engine(folder) as engine:
            look_at(engine, 6, {job.decode() for job in second.stdout.split()})
        if first.returncode == 0:
            return
    pytest.fail("there was no end to it")
