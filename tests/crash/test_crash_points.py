"""The n-th change to the disk is the last one of a process, of all processes, or fails; then the
same command runs again. Points are sampled evenly over the run; ``LDIMPORT_CRASH_DENSITY=9``
tries nine times as many."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_archive import Archive
from crash_check import assert_sound, modes, told_badly
from crash_place import (
    GROUP,
    NEEDS_ROOM,
    PROCESS,
    SCENARIOS,
    Ended,
    Fault,
    Place,
    Total,
    broken_disk,
    full_disk,
    served,
)

pytestmark = [pytest.mark.slow, pytest.mark.crash]
KILLED = -signal.SIGKILL


def shares(points: int) -> list[float]:
    """So many evenly spread moments of a run, as parts of it."""
    points *= int(os.environ.get("LDIMPORT_CRASH_DENSITY", "1"))
    return [round((n + 0.5) / points, 5) for n in range(points)]


def repeated(place: Place, archive: Archive, manifest: Path, *earlier: Ended) -> None:
    """What a user does: look, and the same command again, on a disk that works. That has to put
    all right."""
    look = place.look()
    last = place.run(place.submit(manifest))
    assert_sound(place, archive, last, (*earlier, look))


@pytest.mark.parametrize("manifest", ["local", "web"])
@pytest.mark.parametrize("share", shares(25))
def test_all_processes_die(
    place: Place, archive: Archive, total: Total, share: float, manifest: str
) -> None:
    fault = Fault(1 + int(share * total(manifest, Fault())), GROUP)
    first = place.faulty(SCENARIOS[manifest].words(place, archive), fault)
    assert first.code in (KILLED, 1), first
    repeated(place, archive, getattr(archive, manifest), first)


@pytest.mark.parametrize("manifest", ["local", "web"])
@pytest.mark.parametrize("share", shares(20))
def test_the_command_dies(
    place: Place, archive: Archive, total: Total, share: float, manifest: str
) -> None:
    """Its workers end by themselves, while the next run has begun."""
    fault = Fault(1 + int(share * total(manifest, Fault(who="command"))), PROCESS, "command")
    first = place.faulty(SCENARIOS[manifest].words(place, archive), fault)
    assert first.code in (KILLED, 1), first
    repeated(place, archive, getattr(archive, manifest), first)


@pytest.mark.parametrize("manifest", ["local", "web"])
@pytest.mark.parametrize("share", shares(20))
def test_a_worker_dies(
    place: Place, archive: Archive, total: Total, share: float, manifest: str
) -> None:
    """The command goes on, and ends as if nothing had been; the next one finds nothing to do."""
    fault = Fault(1 + int(share * total(manifest, Fault(who="worker"))), PROCESS, "worker")
    first = place.faulty(SCENARIOS[manifest].words(place, archive), fault)
    assert_sound(place, archive, first, tidy=False)
    repeated(place, archive, getattr(archive, manifest), first)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("share", shares(3))
def test_all_that_is_made_is_private_at_any_moment(
    place: Place, archive: Archive, total: Total, share: float, umask: int
) -> None:
    """Whatever the umask: files 0600, folders 0700."""
    place.umask = umask
    fault = Fault(1 + int(share * total("local", Fault())), GROUP)
    first = place.faulty(place.submit(archive.local), fault)
    assert modes(place) == []
    repeated(place, archive, archive.local, first)
    assert modes(place) == []


@pytest.mark.parametrize("on", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("kind", [full_disk, broken_disk])
@pytest.mark.parametrize("share", shares(16))
def test_a_disk_fails(
    place: Place,
    archive: Archive,
    total: Total,
    share: float,
    kind: Callable[..., Fault],
    on: bool,
) -> None:
    """It is told as what it is, with the exit code for faults that pass; nothing is lost."""
    calls = NEEDS_ROOM if kind is full_disk else ""
    fault = kind(1 + int(share * total("local", Fault(calls=calls))), on=on)
    first = place.faulty(place.submit(archive.local), fault)
    assert first.code in (1, 5), first
    assert told_badly(first) == []
    repeated(place, archive, archive.local, first)


@pytest.mark.parametrize("name", ["retry", "watch", "results"])
@pytest.mark.parametrize("share", shares(8))
def test_another_command_dies(
    place: Place, archive: Archive, total: Total, name: str, share: float
) -> None:
    """Killed with all its workers; the same once more, and submit, find all in order."""
    scenario = SCENARIOS[name]
    first = place.run(scenario.before(place, archive))
    words = scenario.words(place, archive)
    killed = place.faulty(words, Fault(1 + int(share * total(name, Fault())), GROUP))
    assert killed.code in (KILLED, 0, 1), killed
    again = place.run(words)
    assert again.code in (0, 1), again
    repeated(place, archive, archive.local, first, killed, again)


@pytest.mark.parametrize("share", shares(20))
@pytest.mark.parametrize("how", [GROUP, PROCESS], ids=["with-its-workers", "alone"])
def test_the_server_dies(
    place: Place, archive: Archive, total: Total, share: float, how: int
) -> None:
    """It is started again at the same port; its client goes on, or ends and is started again."""
    who = "command" if how == PROCESS else ""
    fault = Fault(1 + int(share * total("serve", Fault(who=who))), how, who)
    with served(place, archive, fault) as server:
        first = server.imported()
        last = place.run(place.submit(archive.web))
        server.stop()
        assert_sound(place, archive, last, [first])
