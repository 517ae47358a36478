"""What all crash points share: the library, the archive, how many points there are, and one
recorded run. Made once, whichever of the test processes comes first."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import crash_archive
import pytest
from crash_archive import Archive
from crash_place import SCENARIOS, Fault, Place, Total, library, served
from crash_replay import Recording, standing


class Shared:
    """A folder that all processes of a test run use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder ``name``, which the first that asks for it makes."""
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path, made = self.folder / name, self.folder / f"{name}.made"
            if not made.exists():
                shutil.rmtree(path, ignore_errors=True)  # another has failed to make it
                path.mkdir()
                make(path)
                made.touch()
            return path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    base = tmp_path_factory.getbasetemp()
    return Shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "crash")


@pytest.fixture(scope="session")
def built(shared: Shared) -> Path:
    return shared.once("library", library)


@pytest.fixture(scope="session")
def archive(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = shared.once("archive", crash_archive.draw)
    with crash_archive.served(folder, tmp_path_factory.mktemp("origin")) as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, built: Path) -> Place:
    return Place(tmp_path, built)


@pytest.fixture(scope="session")
def total(shared: Shared, built: Path, archive: Archive) -> Total:
    def counted(name: str, fault: Fault) -> int:
        def count(folder: Path) -> None:
            place, nothing = Place(folder, built), replace(fault, at=0)
            if name == "serve":
                with served(place, archive, nothing) as server:
                    server.imported()
                    server.stop()
            else:
                scenario = SCENARIOS[name]
                if scenario.before:
                    place.run(scenario.before(place, archive))
                place.faulty(scenario.words(place, archive), nothing)
            (folder / "count").write_text(str(place.count))

        folder = shared.once(f"count {name} {fault.who} {fault.calls}", count)
        return int((folder / "count").read_text())

    return counted


@pytest.fixture(scope="session")
def recorded(shared: Shared, built: Path, archive: Archive) -> Recording:
    """A whole run, call by call."""

    def record(folder: Path) -> None:
        place = Place(folder, built)
        before = standing(place.disk)
        ended = place.faulty(place.submit(archive.local), Fault())
        assert ended.code == 1, ended
        (folder / "before.json").write_text(json.dumps(list(before.items())))

    folder = shared.once("recorded", record)
    before = json.loads((folder / "before.json").read_text())
    return Recording(folder / "journal", folder / "disk", dict(before))
