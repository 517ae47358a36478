"""What webhooks said, on its way from ``listen`` to a run: a file beside the state file, since a
run holds that one's lock.

Each line is one notification, synced before it is acknowledged. They are hints: a line that is
read twice, or lost, costs a question more. So lines stay until their job has ended, and a run that
was killed finds them again.
"""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep

from ldimport.errors import LockedError, TemporaryError
from ldimport.files import NewFile
from ldimport.model import Counts, JobHint
from ldimport.system import DISK, ProcessLock, durable_folder, full_disk, sync_folder

MOST_BYTES = 8_000_000
"""Size of the file; beyond it the older half goes."""
MOST_KNOWN = 100_000
"""Notices that a listener remembers, so as not to write them down twice."""
PATIENCE = 5.0
"""Seconds to wait for whoever has the file in hand; that takes milliseconds."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class _ReadSoFar:
    """Which file was read, and how far."""

    inode: int = 0
    size: int = 0


class Inbox:
    """The notices beside one state file. ``ldimport listen`` adds, a run reads."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.name}.notices")
        self._guard = ProcessLock(state.with_name(f"{self.path.name}.lock"))
        self._listener = ProcessLock(state.with_name(f"{state.name}.listen"))
        self._seen = _ReadSoFar()
        self._known: set[tuple[str, str, str | None]] | None = None

    # -- the listener's side ----------------------------------------------------------------

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, runs know that somebody listens. Raises LockedError when somebody does."""
        durable_folder(self.path.parent)
        if not self._listener.acquire("listen"):
            pid = self._listener.holder().get("pid", "?")
            text = f"process {pid} already listens for the jobs of this state file"
            raise LockedError(text, hint="let it go on, or end it first", code="listening")
        try:
            yield
        finally:
            self._listener.release()

    def add(self, hint: JobHint) -> bool:
        """Write one down; durable when it returns. False: it was there. Raises TemporaryError
        when the disk takes no more, and nothing was written then."""
        if self._known is None or len(self._known) > MOST_KNOWN:
            self._known = {_key(each) for each in self.all()}
        if _key(hint) in self._known:
            return False
        line = json.dumps(asdict(hint), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with self._held():
            self._make_room(len(line))
            try:
                self._append(line)
            except OSError as error:
                if error.errno in DISK:
                    raise full_disk(self.path.parent, error.strerror or "") from error
                text = f"{self.path} cannot be written: {error.strerror}"
                raise TemporaryError(text, code="write") from error
        self._known.add(_key(hint))
        return True

    def _append(self, line: bytes) -> None:
        """One line at the end; what a kill cut off there becomes a line of its own."""
        opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o600)
        try:
            size = os.fstat(opened).st_size
            os.lseek(opened, max(0, size - 1), os.SEEK_SET)
            cut = size > 0 and os.read(opened, 1) != b"\n"
            try:
                left = b"\n" + line if cut else line
                while left:
                    left = left[os.write(opened, left) :]
                os.fsync(opened)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(opened, size)
                raise
        finally:
            os.close(opened)
        if size == 0:
            sync_folder(self.path.parent)

    def _make_room(self, more: int) -> None:
        with suppress(FileNotFoundError):
            if self.path.stat().st_size + more > MOST_BYTES:
                lines = self.path.read_bytes().splitlines(keepends=True)
                self._write(lines[len(lines) // 2 :])
                self._known = {_key(each) for each in self.all()}

    # -- a run's side -----------------------------------------------------------------------

    @property
    def listened(self) -> bool:
        """Whether a listener is alive."""
        try:
            return self._listener.held()
        except OSError:
            return False

    def new(self) -> list[JobHint]:
        """What came since the last call; nearly free while nothing has. What cannot be read is as
        if it were not there."""
        try:
            there = self.path.stat()
        except OSError:
            return []
        now = _ReadSoFar(there.st_ino, there.st_size)
        if now == self._seen:
            return []
        begun = self._seen.size if now.inode == self._seen.inode else 0
        found, end = self._read(begun if begun <= now.size else 0)
        self._seen = _ReadSoFar(now.inode, end)
        return found

    def all(self) -> list[JobHint]:
        """Everything that is there."""
        return self._read(0)[0]

    def drop(self, jobs: Collection[str]) -> None:
        """Remove what was said of these jobs: they have ended, and their results are stored."""
        if not jobs or not self.path.exists():
            return
        with suppress(OSError, TemporaryError), self._held():  # it may stay, too
            lines = self.path.read_bytes().splitlines(keepends=True)
            kept = [each for each in lines if (hint := _parsed(each)) and hint.job not in jobs]
            if len(kept) < len(lines):
                self._write(kept)

    def _read(self, begun: int) -> tuple[list[JobHint], int]:
        """The whole lines from there on, and where they end."""
        try:
            with self.path.open("rb") as file:
                file.seek(begun)
                data = file.read(2 * MOST_BYTES)
        except OSError:
            return [], begun
        whole = data[: data.rfind(b"\n") + 1]
        found = [hint for line in whole.splitlines() if (hint := _parsed(line))]
        return found, begun + len(whole)

    def _write(self, lines: list[bytes]) -> None:
        """Other lines in the place of those there."""
        with NewFile(self.path) as file:
            for line in lines:
                file.write(line.decode("utf-8", "replace"))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Inside, nobody else writes the file."""
        until = monotonic() + PATIENCE
        while not self._guard.take():
            if monotonic() > until:
                raise TemporaryError(f"{self.path} is in use by another process", code="in-use")
            sleep(0.01)
        try:
            yield
        finally:
            self._guard.release()


def _key(hint: JobHint) -> tuple[str, str, str | None]:
    return hint.job, hint.state, hint.batch


def _parsed(line: bytes) -> JobHint | None:
    """A line as it was written; None for what a kill cut off, and for what is not ours."""
    try:
        said = json.loads(line)
        counts = None if said["counts"] is None else Counts(**said["counts"])
        hint = JobHint(str(said["job"]), str(said["state"]), counts, said["batch"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return hint if isinstance(hint.batch, str | None) else None
