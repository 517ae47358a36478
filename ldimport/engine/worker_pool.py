"""Worker processes of one engine: started, watched, started again, ended in order."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ldimport.engine.store import in_hand
from ldimport.errors import ExitCode, LdimportError, StateFileError, TemporaryError
from ldimport.system import no_process, start_thread

GRACE = 5.0
"""Seconds that workers have to end in order before they are killed; they lose nothing."""
SETTLED = 2.0
"""Seconds after which a worker's start counts as a success."""
MOST_FALSE_STARTS = 20
"""Workers may be killed from outside, or over an image, which is counted for that; when so many
others in a row end at once it is a fault."""


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True)
class _Member:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    since: float

    def tell(self) -> None:
        """The end of its input tells it to stop."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def end(self) -> None:
        """Wait for it, kill it when it does not listen."""
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()


class WorkerPool:
    """``size`` worker processes on the engine in ``folder``, from ``start`` to ``end``; with
    ``only`` they carry out the images of one systemName. A worker that was killed is started
    again; an error of the run (disk full) is kept for ``check``."""

    def __init__(self, folder: Path, size: int, only: str | None = None) -> None:
        self._folder = folder
        self._only = () if only is None else (f"--only={only}",)
        self._size = size
        self._members: list[_Member] = []
        self._error: LdimportError | None = None
        self._false_starts = 0
        self._ending = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self) -> None:
        """Start all. Raises TemporaryError when the system gives no more processes."""
        for _ in range(self._size):
            self._members.append(self._new_member())
        self._watch = start_thread(self._watch_over, name="ldimport-pool")

    def check(self) -> None:
        """Raise what ended a worker for good, if anything did."""
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Tell all to stop, wait for them, kill who does not listen."""
        self._ending.set()
        if self._watch is None:
            self._end_members()
        else:
            self._watch.join()

    def _end_members(self) -> None:
        for member in self._members:
            member.tell()
        for member in self._members:
            member.end()

    def _new_member(self) -> _Member:
        # -P: a module in the working folder, which may be a stranger's archive, is not ours
        command = [sys.executable, "-P", "-m", "ldimport.engine.worker"]
        command += [str(self._folder), "--parent", str(os.getpid()), "--workers", str(self._size)]
        command += self._only
        pipe = subprocess.PIPE
        with contextlib.ExitStack() as opened:
            try:
                errors = opened.enter_context(tempfile.TemporaryFile())
                process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors)
            except OSError as error:
                why = error.strerror or str(error)
                raise no_process("no worker of the local engine could be started", why) from error
            opened.pop_all()  # it is closed with its process
        return _Member(process, errors, time.monotonic())

    def _watch_over(self) -> None:
        """All members end before this thread does: those that it started go with it (see
        ``end_with_parent``)."""
        while self._error is None and not self._ending.wait(0.1):
            for place, member in enumerate(self._members):
                if member.process.poll() is not None:
                    self._replace(place, member)
        self._ending.wait()
        self._end_members()

    def _replace(self, place: int, member: _Member) -> None:
        lived = time.monotonic() - member.since
        counted = in_hand(self._folder, member.process.pid)  # so many deaths may come in a row
        self._false_starts = 0 if lived > SETTLED or counted else self._false_starts + 1
        try:
            if member.process.returncode > 0 or self._false_starts > MOST_FALSE_STARTS:
                raise _error_of(member)
            self._members[place] = self._new_member()
        except LdimportError as error:
            self._error = error
        else:
            member.tell()
            member.end()


def _error_of(member: _Member) -> LdimportError:
    """What a worker said before it ended."""
    code = member.process.returncode
    assert member.process.stdout is not None
    try:
        said = json.loads(member.process.stdout.read())
        message, hint, word = said["message"], said["hint"], said["code"]
    except (ValueError, TypeError, KeyError):
        member.errors.seek(0)
        lines = member.errors.read().decode(errors="replace").strip().splitlines() or [""]
        text = f"a worker of the local engine ended unexpectedly ({code}): {lines[-1]}"
        hint = "this is a bug in ldimport; what was recorded is safe"
        return LdimportError(text, hint=hint, code="worker-died")
    kinds = {ExitCode.TEMPORARY: TemporaryError, ExitCode.CONFIG: StateFileError}
    return kinds.get(ExitCode(code), LdimportError)(message, hint=hint, code=word)
