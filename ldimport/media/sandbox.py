"""A child process in which decoders, the SVG sanitiser and readers of metadata meet hostile bytes.

One child serves many images; it is limited in CPU time and memory, sees of our environment what
Python needs, and is started again after it died. A request is a header (work, kind, size) and the
image; an answer is a header (outcome, width, height, size) and a body: the cleaned SVG, metadata as
JSON, or code and reason of a refusal as JSON.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from enum import IntEnum
from typing import Any, NamedTuple

from ldimport.causes import Cause, known_cause
from ldimport.closing import Closing
from ldimport.errors import ConfigError, Rejected, TemporaryError
from ldimport.model import Facts, ImageType, Json, Limits
from ldimport.system import cpu_seconds, most_memory

REQUEST = struct.Struct(">BBI")
REPLY = struct.Struct(">BIII")
KINDS = (ImageType.PNG, ImageType.JPG, ImageType.GIF, ImageType.SVG)
"""A request names its kind by the position here."""
_TICK = 0.2
"""Seconds between two looks at a child that is at work."""
_NEEDED = re.compile(
    r"PATH|SYSTEMROOT|LANG|LC_\w+|TMPDIR|TEMP|TMP|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_\w+"
    r"|__PYVENV_LAUNCHER__|PYTHON(PATH|HOME|UTF8|USERBASE|NOUSERSITE|DONTWRITEBYTECODE)"
)
"""What Python starts by; nothing else of our environment, which may hold secrets, is passed on."""
_OUT_OF_CPU = -getattr(signal, "SIGXCPU", 10_000)
"""Exit status of a child whose CPU time is used up; none of Windows' own."""


class Work(IntEnum):
    """First byte of a request: what to do with the image."""

    DECODE = 0
    SANITISE = 1
    METADATA = 2
    PROVE = 3
    """No image: show that this kind can be read at all, by one that is sound."""


class ChildOutcome(IntEnum):
    """First byte of an answer. ``EXHAUSTED``: memory ran out, the child still lives;
    ``UNUSABLE``: a library is missing, the child has ended."""

    DONE = 0
    REJECTED = 1
    EXHAUSTED = 2
    UNUSABLE = 3


class _ChildReply(NamedTuple):
    outcome: ChildOutcome
    width: int
    height: int
    body: bytes


class Sandbox(Closing):
    """Start, feed and replace the child. To be used by one thread at a time.

    ``seconds`` of CPU time are granted to each image, ``memory_bytes`` of address space to the
    child; one that does not use its CPU time is waited for ``patience`` times as long. Nothing
    runs until the first image comes.
    """

    def __init__(
        self, limits: Limits, *, seconds: float = 10, memory_bytes: int = 450_000_000,
        patience: float = 3,
    ) -> None:  # fmt: skip
        self._seconds = max(1, math.ceil(seconds))
        self._patience = self._seconds * patience
        self._memory = memory_bytes
        self._options = json.dumps(
            {"limits": asdict(limits), "seconds": self._seconds, "memory": memory_bytes}
        )
        self._child: _Child | None = None

    def decode(self, data: bytes, facts: Facts) -> None:
        """Decode every pixel of a png, jpg or gif that ``inspect`` accepted. Raises Rejected
        ``corrupt``, ``truncated`` or ``too-complex``; ConfigError if the decoder is not installed,
        TemporaryError if it cannot work, which says nothing about the image."""
        if facts.type is ImageType.SVG:
            raise ValueError("an SVG is not decoded: see sanitise")
        self._ask(Work.DECODE, facts.type, data)

    def sanitise(self, data: bytes) -> tuple[bytes, Facts]:
        """What to store for an SVG, and the facts of that. Raises Rejected as ``inspect`` does,
        and what ``decode`` raises."""
        answer = self._ask(Work.SANITISE, ImageType.SVG, data)
        return answer.body, Facts(ImageType.SVG, answer.width, answer.height)

    def metadata(self, data: bytes, facts: Facts) -> dict[str, Json]:
        """What the image says of itself, by the names of ``fields.FIELDS``; nothing where reading
        it takes too much. Raises ConfigError and TemporaryError as ``decode`` does."""
        if facts.type is ImageType.SVG:
            return {}
        with suppress(Rejected):
            found: dict[str, Any] = json.loads(self._ask(Work.METADATA, facts.type, data).body)
            return found
        return {}

    def close(self) -> None:
        """End the child. May be called twice; the next image would start another."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _ask(self, work: Work, kind: ImageType, data: bytes) -> _ChildReply:
        """One image through the child. When an old child gave up, once more through a new one,
        since earlier images may have worn it out. When a new one did, the image is at fault only
        if decoding works at all."""
        worn = self._child is not None
        try:
            answer = self._exchange(work, kind, data)
        except _ChildFailedError as failure:
            if failure.status == _OUT_OF_CPU or (failure.late and sys.platform == "win32"):
                reason = f"the image takes more than {self._seconds} seconds to decode"
                raise Rejected(Cause.TOO_COMPLEX, reason) from failure
            if failure.late:
                raise _stuck(f"it did nothing for {self._patience:g} seconds") from failure
            if work is Work.PROVE:
                raise _stuck(f"it broke down over an image that is sound ({failure})") from failure
            if worn:
                return self._ask(work, kind, data)
            self._ask(Work.PROVE, kind, b"")
            reason = f"the decoder broke down over the image ({failure})"
            raise Rejected(Cause.TOO_COMPLEX, reason) from failure
        if answer.outcome is ChildOutcome.REJECTED:
            code, reason = json.loads(answer.body)
            raise Rejected(known_cause(code) or Cause.CORRUPT, reason)
        return answer

    def _exchange(self, work: Work, kind: ImageType, data: bytes) -> _ChildReply:
        """An answer of a child that is well. Raises _ChildFailedError, and ends the child."""
        if (most := most_memory()) < self._memory:
            raise _stuck(f"a process may have only {most / 1e6:,.0f} MB here (ulimit -v)")
        child = self._child = self._child or _Child(self._options, self._patience)
        try:
            answer = child.exchange(work, kind, data)
            if answer.outcome is ChildOutcome.EXHAUSTED:
                raise _ChildFailedError("too much memory")
        except BaseException:  # also Ctrl-C: half an answer may be in the pipe
            self.close()
            raise
        return answer


class _ChildFailedError(Exception):
    """No answer. ``status`` is the exit status, negative for a signal; ``late`` says that we ended
    it, since it used neither its CPU time nor gave an answer."""

    def __init__(self, reason: str, status: int = 0, *, late: bool = False) -> None:
        super().__init__(reason)
        self.status, self.late = status, late


class _Child:
    """One process and the thread that watches its time. Raises ConfigError if it is not installed,
    TemporaryError if it cannot work."""

    def __init__(self, options: str, patience: float) -> None:
        self._late = False
        self._patience = self._ticks = patience / _TICK
        self._lock = threading.Lock()
        self._ended = threading.Event()
        command = [sys.executable, "-P", "-m", "ldimport.media.child", options]
        environment = {name: os.environ[name] for name in filter(_NEEDED.fullmatch, os.environ)}
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=nowhere, pipesize=1 << 20, env=environment
            )
        except OSError as error:
            gone = isinstance(error, FileNotFoundError | PermissionError)
            raise (_unusable if gone else _stuck)(str(error)) from error
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        try:
            threading.Thread(target=self._watch, daemon=True).start()
            greeting = self._receive()
        except (_ChildFailedError, RuntimeError) as failure:  # or no thread can be started
            self.close()
            raise _stuck(f"it does not start: {failure}") from failure
        if greeting.outcome is ChildOutcome.UNUSABLE:
            self.close()
            raise _unusable(greeting.body.decode())

    def exchange(self, work: Work, kind: ImageType, data: bytes) -> _ChildReply:
        """Send one image and wait for its answer. Raises _ChildFailedError."""
        with self._lock:
            self._ticks = self._patience
        try:
            self._requests.write(REQUEST.pack(work, KINDS.index(kind), len(data)) + data)
            self._requests.flush()
        except BrokenPipeError as error:
            raise self._death() from error
        return self._receive()

    def close(self) -> None:
        """Kill the process and wait for it."""
        self._ended.set()
        self._process.kill()
        with suppress(BrokenPipeError), self._process:  # closes the pipes and waits
            pass

    def _watch(self) -> None:
        """Kill the child once it has kept us waiting for too long without using its CPU time. Ticks
        are counted, so that no time passes while this process is stopped as well (Ctrl-Z)."""
        used = 0.0
        while not self._ended.wait(_TICK):
            with self._lock:
                before, used = used, cpu_seconds(self._process.pid)
                self._ticks -= used == before
                if self._ticks <= 0:
                    self._late = True
                    self._process.kill()
                    return

    def _receive(self) -> _ChildReply:
        header = self._replies.read(REPLY.size)
        if len(header) == REPLY.size:
            outcome, width, height, size = REPLY.unpack(header)
            body = self._replies.read(size)
            if len(body) == size:
                with self._lock:
                    self._ticks = math.inf
                return _ChildReply(ChildOutcome(outcome), width, height, body)
        raise self._death()

    def _death(self) -> _ChildFailedError:
        status = self._process.wait()
        return _ChildFailedError(f"status {status}", status, late=self._late)


def _stuck(why: str) -> TemporaryError:
    hint = "no image was judged; see that a process of 450 MB can run, and run it again"
    return TemporaryError(f"the image decoder cannot work: {why}", hint=hint, code="decoder")


def _unusable(why: str) -> ConfigError:
    hint = "pip install --force-reinstall .   in the clone of ldimport: again, with all it needs"
    return ConfigError(f"the image decoder cannot be used: {why}", hint=hint, code="decoder")
