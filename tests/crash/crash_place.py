"""A place of its own for one crash point: the command line in it, with a disk that fails or not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import forked
import pytest
from crash_archive import Archive

LIBRARY = Path(__file__).with_name("faulty_disk.c")
TOKEN = "token-of-the-crash-suite"
LONGEST = 90
"""Seconds after which a run counts as stuck."""
GROUP, PROCESS = -1, 0
"""Who dies at a point: a process and all that it started, or it alone."""


@dataclass(frozen=True)
class Fault:
    """At the ``at``-th of these ``calls`` (blanks between; "" for all) of all processes, or of
    those that are a "command" or a "worker", happens what ``how`` says: ``GROUP``, ``PROCESS``, or
    an error number; with ``on`` also at all later ones. 0 for ``at``: nothing, but they count."""

    at: int = 0
    how: int = GROUP
    who: str = ""
    calls: str = ""
    on: bool = False


NEEDS_ROOM = "write create mkdir link rename"
"""The calls that a full disk refuses; it lets syncs and removals through."""


def full_disk(at: int, *, on: bool) -> Fault:
    """There is no room left."""
    return Fault(at, errno.ENOSPC, calls=NEEDS_ROOM, on=on)


def broken_disk(at: int, *, on: bool) -> Fault:
    """The disk answers with errors."""
    return Fault(at, errno.EIO, on=on)


Total = Callable[[str, Fault], int]
"""How many points a scenario has at which such a fault may strike."""


def library(folder: Path) -> None:
    """Compile the library; a test that needs it is skipped where there is no compiler."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the disk is made to fail by LD_PRELOAD, on Linux")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler (cc) to build the disk that fails")
    to = folder / "faulty_disk.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(to), str(LIBRARY), "-ldl"]
    subprocess.run(words, check=True)


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``code`` None: it had to be stopped."""

    words: list[str]
    code: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON Lines that it said; a line that it was killed in is left out."""
        found = []
        for line in self.out.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return [each for each in found if isinstance(each, dict)]

    @property
    def acknowledged(self) -> set[str]:
        """The jobs that it told of."""
        return {each["jobId"] for each in self.lines if each.get("type") == "batch"}

    @property
    def summary(self) -> dict[str, Any] | None:
        return next((each for each in self.lines if each.get("type") == "summary"), None)

    def __str__(self) -> str:
        said = (self.err or self.out).strip()[-600:]
        return f"{' '.join(self.words[:2])} -> {self.code}: {said}"


class Place:
    """State file and engine in folders that are not there yet, a home and a TMPDIR."""

    def __init__(self, root: Path, built: Path, umask: int = 0o022) -> None:
        self.root = root
        self.built = built / "faulty_disk.so"
        self.umask = umask
        self.disk = root / "disk"
        for each in ("disk", "disk/data", "disk/home", "disk/tmp"):
            (root / each).mkdir(exist_ok=True, parents=True, mode=0o700)
        self.state = self.disk / "data" / "a" / "b" / "state.sqlite"
        self.engine = self.disk / "data" / "c" / "d"
        self.shared = root / "shared"
        self.journal = root / "journal"
        self.target: str | None = None

    # -- words -----------------------------------------------------------------------------

    def words(self, command: str, *more: object) -> list[str]:
        """A command in this place."""
        where = ["--engine", str(self.engine)] if self.target is None else ["--target", self.target]
        return [*command.split(), *map(str, more), "--state", str(self.state), *where]

    def submit(self, manifest: Path, *more: str) -> list[str]:
        """The command that is killed and repeated: three jobs."""
        words = self.words("submit", manifest, "--system-name", "archive", "--batch-size", "15")
        allowed = [] if self.target else self.allowed(manifest)
        return [*words, *allowed, "--yes", "--json", *more]

    def allowed(self, manifest: Path) -> list[str]:
        """The option that allows the manifest's origin."""
        host = urlsplit(manifest.read_text("utf-8").splitlines()[1].split(",")[1]).netloc
        return ["--allow-host", host] if host else []

    # -- runs ------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        ours = ("LDIMPORT_", "LI_", "XDG_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        own = {"HOME": str(self.disk / "home"), "TMPDIR": str(self.disk / "tmp")}
        return {**kept, **own} | ({"LDIMPORT_TOKEN": TOKEN} if self.target else {})

    def run(self, words: list[str]) -> Ended:
        """On a disk that works."""
        return _ended(words, self._start([*forked.command(), *words], {}))

    def look(self) -> Ended:
        """What a user does first; where there is nothing yet, that is said."""
        there = self.state.exists() and (self.target is not None or self.engine.exists())
        looked = self.run(self.words("status", "--json"))
        assert looked.code == (0 if there else 2), looked
        return looked

    def start(self, words: list[str], fault: Fault, **more: str) -> subprocess.Popen[str]:
        """On a disk with this fault, in a process group of its own; ``-c`` runs Python itself."""
        self.shared.write_bytes(bytes(8))
        asked = {
            "LD_PRELOAD": str(self.built),
            "FAULTY_FOLDER": str(self.disk),
            "FAULTY_SHARED": str(self.shared),
            "FAULTY_JOURNAL": str(self.journal) if fault.at == 0 else "",
            "FAULTY_WHO": fault.who,
            "FAULTY_CALLS": f" {fault.calls} " if fault.calls else "",
            "FAULTY_AT": str(fault.at),
            "FAULTY_WITH": str(fault.how),
            "FAULTY_ON": str(int(fault.on)),
        }
        program = ["-m", "ldimport"] if words[0] != "-c" else []
        return self._start([sys.executable, *program, *words], {**asked, **more})

    def faulty(self, words: list[str], fault: Fault) -> Ended:
        """Run it on a disk with this fault."""
        return _ended(words, self.start(words, fault))

    @property
    def count(self) -> int:
        """The calls that counted in the last faulty run."""
        return int.from_bytes(self.shared.read_bytes(), sys.byteorder)

    def _start(self, words: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            cwd=self.disk / "home",
            env={**self.environment, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            umask=self.umask,
        )

    def left_running(self) -> list[str]:
        """Processes of faulty runs that are still there five seconds later; then they are not."""
        until = time.monotonic() + 5
        while (left := self._processes()) and time.monotonic() < until:
            time.sleep(0.05)
        for process in left:
            os.kill(process, signal.SIGKILL)
        return [str(each) for each in left]

    def _processes(self) -> list[int]:
        mark, found = f"FAULTY_SHARED={self.shared}\0".encode(), []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (each / "environ").read_bytes():
                    found.append(int(each.name))
            except OSError:
                continue
        return found


def _ended(words: list[str], process: subprocess.Popen[str]) -> Ended:
    try:
        out, err = process.communicate(timeout=LONGEST)
        return Ended(words, process.returncode, out, err)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return Ended(words, None, *process.communicate())


# -- what is killed ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """A command, and what is run before it."""

    words: Callable[[Place, Archive], list[str]]
    before: Callable[[Place, Archive], list[str]] | None = None


def _submit(place: Place, archive: Archive) -> list[str]:
    return place.submit(archive.local)


SCENARIOS = {
    "local": Scenario(_submit),
    "web": Scenario(lambda place, archive: place.submit(archive.web)),
    "retry": Scenario(lambda place, _: place.words("retry", "--json"), _submit),
    "watch": Scenario(
        lambda place, _: place.words("watch", "--json"),
        lambda place, archive: place.submit(archive.local, "--no-wait"),
    ),
    "results": Scenario(
        lambda place, _: place.words("results", "-n", 0, "-o", place.disk / "data/results.csv"),
        _submit,
    ),
}


class Served:
    """``serve`` in a place, on a disk with a fault; and clients of it."""

    def __init__(self, place: Place, archive: Archive, fault: Fault) -> None:
        self._place, self._archive = place, archive
        self._readers: list[threading.Thread] = []
        self._words = [*place.words("serve"), "--json", *place.allowed(archive.web), "--port"]
        self._words = [word for word in self._words if word not in ("--state", str(place.state))]
        self.process = place.start([*self._words, "0"], fault, LDIMPORT_SERVE_TOKEN=TOKEN)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:  # killed before it listened
            self.process.communicate()
            self._restart("0")
            line = self.process.stdout.readline()
        place.target = json.loads(line)["url"]
        self._drain()

    def _restart(self, port: str) -> None:
        env = {"LDIMPORT_SERVE_TOKEN": TOKEN}
        self.process = self._place._start([*forked.command(), *self._words, port], env)

    def _drain(self) -> None:
        """Read what it says, so that it never waits for a reader."""

        def read(stream: IO[str]) -> None:
            with stream:
                stream.read()

        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            self._readers.append(threading.Thread(target=read, args=(stream,)))
            self._readers[-1].start()

    def imported(self) -> Ended:
        """A client's run, in which a server that dies is started again."""
        words = self._place.submit(self._archive.web)
        client = self._place._start([*forked.command(), *words], {})
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.05)
                    self._restart(str(urlsplit(self._place.target).port))
                    self._drain()

        watcher = threading.Thread(target=watch)
        watcher.start()
        ended = _ended(words, client)
        done.set()
        watcher.join()
        return ended

    def stop(self) -> None:
        """In order. The fault may strike even then; another one clears up behind it."""
        self.process.terminate()
        if self.process.wait(LONGEST) == -signal.SIGKILL:
            self._restart("0")
            assert self.process.stdout is not None
            assert self.process.stdout.readline()
            self._drain()
            self.process.terminate()
            self.process.wait(LONGEST)
        assert self.process.returncode == 0

    def end(self) -> None:
        """At once."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()


@contextmanager
def served(place: Place, archive: Archive, fault: Fault) -> Iterator[Served]:
    """A server that is gone at the end."""
    server = Served(place, archive, fault)
    try:
        yield server
    finally:
        server.end()
