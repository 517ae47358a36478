"""Worker processes of one engine: started, watched, started again, ended in order."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ldimport.errors import ExitCode, LdimportError, StateFileError, TemporaryError

GRACE = 5.0
"""Seconds that workers have to end in order before they are killed; they lose nothing."""
MOST_RESTARTS = 20
"""A worker may be killed from outside; one that keeps dying is a fault to be shown."""


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True)
class _Member:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def close(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self.errors.close()


class Crew:
    """``size`` worker processes on the engine in ``folder``. A worker that was killed is started
    again; an error of the run (disk full) is kept for ``check``."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._members: list[_Member] = []
        self._error: LdimportError | None = None
        self._restarts = 0
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._watch_over, name="ldimport crew", daemon=True)
        for _ in range(size):
            self._members.append(self._start())
        self._watch.start()

    def check(self) -> None:
        """Raise what ended a worker for good, if anything did."""
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Tell all to stop, wait for them, kill who does not listen."""
        self._ending.set()
        self._watch.join()
        for member in self._members:
            if member.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    member.process.stdin.close()
        for member in self._members:
            try:
                member.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()
            member.close()

    def _start(self) -> _Member:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with its process
        command = [sys.executable, "-m", "ldimport.engine.worker", str(self._folder)]
        process = subprocess.Popen(
            [*command, "--parent", str(os.getpid()), "--crew", str(self._size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        return _Member(process, errors)

    def _watch_over(self) -> None:
        while not self._ending.wait(0.1):
            for place, member in enumerate(self._members):
                if member.process.poll() is None or self._error is not None:
                    continue
                self._restarts += 1
                if member.process.returncode > 0 or self._restarts > MOST_RESTARTS:
                    self._error = _error_of(member)
                    continue
                member.close()
                self._members[place] = self._start()


def _error_of(member: _Member) -> LdimportError:
    """What a worker said before it ended."""
    member.errors.seek(0)
    lines = member.errors.read().decode(errors="replace").strip().splitlines() or [""]
    code = member.process.returncode
    try:
        said = json.loads(lines[-1])
        message, hint, word = said["message"], said["hint"], said["code"]
    except (ValueError, TypeError, KeyError):
        return LdimportError(
            f"a worker of the local engine ended unexpectedly ({code}): {lines[-1]}",
            hint="this is a bug in ldimport; what was recorded is safe",
            code="worker-died",
        )
    kind = {ExitCode.TEMPORARY: TemporaryError, ExitCode.CONFIG: StateFileError}.get(
        ExitCode(code), LdimportError
    )
    return kind(message, hint=hint, code=word)
