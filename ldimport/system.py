"""What differs by operating system: locks, limits of a child, folders."""

import json
import math
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
    import resource


class ProcessLock:
    """An exclusive lock on ``path`` that the operating system frees when the process dies.

    The descriptor is not inherited by children (PEP 446), so no orphan keeps the lock. The file
    holds who has it as JSON (``pid``, ``host``, ``command``, ``since`` in Unix seconds); it stays
    behind after ``release``, since whoever has opened it meanwhile would lock a file that is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, command: str = "") -> bool:
        """Take the lock without waiting; False if another process has it. Raises OSError if the
        file cannot be opened."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path, flags, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command,
                  "since": time.time()}  # fmt: skip
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(holder).encode())
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def discard(self) -> None:
        """Give the lock back and remove its file; harmless when it is not held. Whoever takes it in
        that moment has to look whether the file is still there. Windows removes no open file, so
        there it goes last, and stays when somebody has opened it."""
        if self._descriptor is None:
            return
        if sys.platform == "win32":
            self.release()
        with suppress(OSError):
            self.path.unlink()
        self.release()

    def holder(self) -> Mapping[str, object]:
        """Who wrote the lock file last; empty when unknown."""
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def held(self) -> bool:
        """Whether some live process has the lock (this one included)."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:
        try:  # a byte far behind the text, since Windows forbids reading a locked range
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True

    def limit_child(cpu_seconds: int, memory_bytes: int) -> None:
        """Windows has no per-process limits of this kind; the parent's deadline still holds."""

    def most_open_files() -> int | None:
        """How many files and connections this process may have open; None: no such limit."""
        return None

else:

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def limit_child(cpu_seconds: int, memory_bytes: int) -> None:
        """Limit this process: CPU seconds from now on, then it is killed; address space in
        bytes; no core file. May be called again before each piece of work."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        soft = math.ceil(usage.ru_utime + usage.ru_stime) + cpu_seconds
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        if sys.platform != "darwin":  # macOS refuses RLIMIT_AS
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def most_open_files() -> int | None:
        """How many files and connections this process may have open; None: no such limit."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft


def sync_folder(folder: Path) -> None:
    """Make renames within ``folder`` durable; nothing to do where folders cannot be synced."""
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # not ours: whoever may not read it has made nothing in it
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def durable_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, with mode 0700 whatever the umask is. Each
    name is durable before anything is put below it; also one that was there, since who made it
    may be on the way to that, or was killed before."""
    if not folder.is_dir() and folder != folder.parent:
        durable_folder(folder.parent)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            folder.chmod(0o700)
    sync_folder(folder.parent)
