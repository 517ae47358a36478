"""What differs by operating system: locks, limits of a child, folders."""

import errno
import json
import math
import mmap
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

from ldimport.errors import TemporaryError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
    import resource

_PDEATHSIG = 1
_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000
"""Of Linux: prctl(2), unshare(2)."""
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS, errno.ESTALE}
"""What a disk answers that takes no more."""
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR,
             errno.ELOOP, errno.ENAMETOOLONG}  # fmt: skip
"""What says that a place cannot be used, also later."""
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""What ends a command: Ctrl-C, an order, and that its terminal is gone (but for ``nohup``)."""
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_SAID = ("new thread", "failed to map", "allocate ", "open shared object", "without exception set",
         "without setting an exception")  # fmt: skip
_NOTE = b"%20d"
_NOTE_SIZE = 20


class ProcessLock:
    """An exclusive lock on ``path`` that the operating system frees when the process dies.

    The descriptor is not inherited by children (PEP 446), so no orphan keeps the lock. The file
    holds who has it as JSON (``pid``, ``host``, ``command``, ``since`` in Unix seconds, ``note``);
    it stays behind after ``release``, since whoever has opened it meanwhile would lock a file that
    is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._note: mmap.mmap | None = None
        self._note_at = 0

    def take(self) -> bool:
        """Take the lock without waiting, and leave what the file says; False if another process
        has it. Raises OSError if the file cannot be opened."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path, flags, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def acquire(self, command: str = "") -> bool:
        """The same, and say who has it. Raises OSError if the file cannot be written either."""
        if not self.take():
            return False
        assert self._descriptor is not None
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command,
                  "since": time.time()}  # fmt: skip
        text = json.dumps(holder)[:-1].encode() + b', "note": '
        self._note_at = len(text)
        try:
            os.ftruncate(self._descriptor, 0)
            size = os.write(self._descriptor, text + _NOTE % 0 + b"}")
            self._note = mmap.mmap(self._descriptor, size)  # written without asking the system
        except OSError:
            self.release()
            raise
        return True

    def note(self, value: int) -> None:
        """Have ``holder`` say this number as ``note``, also once this process is dead; it does
        not outlive a power cut. To be called while the lock is held."""
        assert self._note is not None
        self._note[self._note_at : self._note_at + _NOTE_SIZE] = _NOTE % value

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._note is not None:
            self._note.close()
            self._note = None
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
        other = ProcessLock(self.path)
        free = not self.path.exists() or other.take()
        other.release()
        return not free


def new_lock(folder: Path, before: str = "", after: str = "", command: str = "") -> ProcessLock:
    """A lock on a file that was not there, its name ``before``, chance, ``after``. Who clears up
    may have removed the file between its making and its locking; then it guards nothing, and
    another name is tried."""
    while True:
        lock = ProcessLock(folder / f"{before}{secrets.token_hex(8)}{after}")
        if lock.acquire(command) and lock.path.exists():
            return lock
        lock.release()


def clear_up(folder: Path, before: str = "", after: str = "") -> None:
    """Remove files so named that processes left which were killed: whoever is at work with one
    holds a lock on it. Nothing is written to them."""
    with suppress(OSError):
        for left in folder.iterdir():
            if left.name.startswith(before) and left.name.endswith(after):
                lock = ProcessLock(left)
                with suppress(OSError):  # somebody else's
                    if lock.take():
                        lock.discard()


if sys.platform == "win32":

    def hold(descriptor: int) -> None:
        """Open files cannot be removed here."""

    def _lock(descriptor: int) -> bool:
        try:  # a byte far behind the text, since Windows forbids reading a locked range
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True

    def open_files(wanted: int) -> int | None:
        """How many files and connections this process may have open; None: no such limit."""
        return None

else:

    def hold(descriptor: int) -> None:
        """Lock an open file of our own against ``clear_up``, which may have it for a moment."""
        with suppress(OSError):  # where there are no locks, nobody clears up
            fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def limit_child(cpu_seconds: int, memory_bytes: int) -> None:
        """Limit this process: CPU seconds from now on, then it is killed; address space in
        bytes. May be called again before each piece of work."""
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + cpu_seconds)
        if sys.platform != "darwin":  # macOS refuses RLIMIT_AS
            _limit(resource.RLIMIT_AS, memory_bytes, memory_bytes)

    def fence_child() -> None:
        """From now on this process writes no file, starts no other, has few files open, leaves no
        core file. On Linux it dies with its parent, also in the middle of a computation, is the
        first to go when memory runs out, and has no network where the kernel lets a user give
        that up."""
        if sys.platform == "linux":
            libc = _libc()
            libc.prctl(_PDEATHSIG, signal.SIGKILL)
            with suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text("1000")
            if libc.unshare(_NEW_NETWORK):  # only root may; others within users of their own
                libc.unshare(_NEW_USERS | _NEW_NETWORK)
        for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0),
                           (resource.RLIMIT_NPROC, 0), (resource.RLIMIT_NOFILE, 64)):  # fmt: skip
            _limit(kind, most, most)

    def open_files(wanted: int) -> int | None:
        """How many files and connections this process may have open, after asking for so many;
        None: no such limit."""
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft == resource.RLIM_INFINITY:
            return None
        with suppress(ValueError, OSError):
            _limit(resource.RLIMIT_NOFILE, max(soft, wanted))
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def _limit(kind: int, soft: int, hard: int = resource.RLIM_INFINITY) -> None:
        """Set both limits, to no more than the hard one is already."""
        now = resource.getrlimit(kind)[1]
        ends = [each for each in (hard, now) if each != resource.RLIM_INFINITY]
        resource.setrlimit(kind, (min([soft, *ends]), min(ends, default=hard)))


def most_memory() -> float:
    """How many bytes of address space a process may have here."""
    if sys.platform == "win32":
        return math.inf
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    return math.inf if hard == resource.RLIM_INFINITY else hard


def cpu_seconds(pid: int) -> float:
    """CPU time that another process of ours has used so far; 0 where that cannot be known."""
    with suppress(OSError):
        if sys.platform == "linux":
            return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it
    return 0.0


def _libc() -> Any:
    import ctypes  # only few processes need it

    return ctypes.CDLL(None)


def start_thread(target: Callable[..., object], *args: object, name: str | None = None) -> Thread:
    """A daemon thread, started. Raises TemporaryError when the system gives no more."""
    thread = Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise no_process("no thread could be started", str(error)) from error
    return thread


def no_process(what: str, why: str) -> TemporaryError:
    """That the system refuses processes or threads."""
    hint = "close other programs or raise the limit (ulimit -a), then run the same command again"
    return TemporaryError(f"{what}: {why}", hint=hint, code="no-process")


def scarce(error: BaseException) -> TemporaryError | None:
    """What to say of an error by which the machine refuses memory, open files, threads or
    processes, wherever it was met: neither a bug nor a word about the work at hand. None for any
    other."""
    said = str(error) or "out of memory"
    short = isinstance(error, OSError) and error.errno in _SCARCE
    if isinstance(error, ImportError | RuntimeError | SystemError):
        short = any(sign in said for sign in _SAID)
    if not (short or isinstance(error, MemoryError)):
        return None
    return no_process("the system gives no more memory, open files or threads", said)


@contextmanager
def on_signals(*names: str, call: Callable[[int], None]) -> Iterator[bool]:
    """Inside, these signals (as far as the system has them) call ``call``. False, and nothing is
    changed, outside of the main thread: whoever runs us there minds the signals."""
    if current_thread() is not main_thread():
        yield False
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {
        number: signal.signal(number, lambda n, _: call(n))
        for number in numbers
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN  # nohup
    }
    try:
        yield bool(before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def full_disk(folder: Path, why: str) -> TemporaryError:
    """That nothing can be written there."""
    text = f"the disk with {folder} is full or does not accept writes: {why}"
    hint = "free some space, then run the same command again; what was acknowledged is safe"
    return TemporaryError(text, hint=hint, code="disk-full")


def end_after(cpu_seconds: float, seconds: float) -> None:
    """Have the kernel end this process (SIGPROF, SIGALRM) after so much CPU time, or so much
    time, from now on, even while it hangs in C code and no thread of ours can run; called again
    it begins anew, 0 calls it off. Does nothing on Windows."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def end_with_parent() -> None:
    """Once the parent is gone, have the kernel end this process a second later, also one that
    hangs in C code; whoever does not can call it off by ``end_after``, and end in order. Linux
    tells us by a signal, here SIGHUP; its handler is the C library's own ``alarm``, which so gets
    the signal's number as seconds: 1."""
    if sys.platform == "linux":
        from ctypes import c_ulong, c_void_p, cast

        library = _libc()
        library.signal(signal.SIGHUP, cast(library.alarm, c_void_p))
        library.prctl(_PDEATHSIG, c_ulong(signal.SIGHUP), 0, 0, 0)


def sync_folder(folder: Path | str) -> None:
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


def private_folder(folder: Path) -> None:
    """Make ``folder`` with mode 0700, whatever the umask is; harmless when it is there."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(0o700)


def durable_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, as ``private_folder`` does. Each name is
    durable before anything is put below it; also one that was there, since who made it may be on
    the way to that, or was killed before."""
    if not folder.is_dir() and folder != folder.parent:
        durable_folder(folder.parent)
        private_folder(folder)
    sync_folder(folder.parent)
