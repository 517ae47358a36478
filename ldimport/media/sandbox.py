"""A child process in which decoders, the SVG sanitiser and readers of metadata meet hostile bytes.

One child serves many images; it is limited in CPU time and memory, and started again after it
died. A request is a header (work, kind, size) and the image; an answer is a header (outcome,
width, height, size) and a body: the cleaned SVG, metadata as JSON, or code and reason of a
refusal as JSON.
"""

from __future__ import annotations

import json
import math
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from enum import IntEnum
from typing import Any, NamedTuple

from ldimport.causes import Cause, known_cause
from ldimport.errors import ConfigError, Rejected
from ldimport.model import Facts, ImageType, Json, Limits

REQUEST = struct.Struct(">BBI")
REPLY = struct.Struct(">BIII")
KINDS = (ImageType.PNG, ImageType.JPG, ImageType.GIF, ImageType.SVG)
"""A request names its kind by the position here."""
_OUT_OF_CPU = -getattr(signal, "SIGXCPU", 10_000)
"""Exit status of a child whose CPU time is used up; none of Windows' own."""


class Work(IntEnum):
    """First byte of a request: what to do with the image."""

    DECODE = 0
    SANITISE = 1
    METADATA = 2


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


class Sandbox:
    """Start, feed and replace the child. To be used by one thread at a time.

    ``seconds`` of CPU time are granted to each image, ``memory_bytes`` of address space to the
    child; it is waited for ``patience`` times as long, since machines can be busy. Nothing runs
    until the first image comes.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        seconds: float = 10,
        memory_bytes: int = 450_000_000,
        patience: float = 3,
    ) -> None:
        self._seconds = max(1, math.ceil(seconds))
        self._patience = self._seconds * patience
        self._options = json.dumps(
            {"limits": asdict(limits), "seconds": self._seconds, "memory": memory_bytes}
        )
        self._child: _Child | None = None

    def decode(self, data: bytes, facts: Facts) -> None:
        """Decode every pixel of a png, jpg or gif that ``inspect`` accepted. Raises Rejected
        ``corrupt``, ``truncated`` or ``too-complex``, ConfigError if no child can be started."""
        if facts.type is ImageType.SVG:
            raise ValueError("an SVG is not decoded: see sanitise")
        self._ask(Work.DECODE, facts.type, data)

    def sanitise(self, data: bytes) -> tuple[bytes, Facts]:
        """What to store for an SVG, and the facts of that. Raises Rejected as ``inspect`` does,
        and ConfigError if no child can be started."""
        answer = self._ask(Work.SANITISE, ImageType.SVG, data)
        return answer.body, Facts(ImageType.SVG, answer.width, answer.height)

    def metadata(self, data: bytes, facts: Facts) -> dict[str, Json]:
        """What the image says of itself, by the names of ``fields.FIELDS``; nothing where reading
        it takes too much. Raises ConfigError if no child can be started."""
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

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, work: Work, kind: ImageType, data: bytes) -> _ChildReply:
        """One image through the child; once more through a new one if an old child gave up for
        another reason than time, since earlier images may have worn it out."""
        worn = self._child is not None
        try:
            answer = self._exchange(work, kind, data)
        except _ChildDiedError as death:
            if death.out_of_time:
                reason = f"the image takes more than {self._seconds} seconds to decode"
                raise Rejected(Cause.TOO_COMPLEX, reason) from death
            if not worn:
                reason = f"the decoder broke down over the image (status {death.status})"
                raise Rejected(Cause.TOO_COMPLEX, reason) from death
        else:
            if answer.outcome is ChildOutcome.DONE:
                return answer
            if answer.outcome is ChildOutcome.REJECTED:
                code, reason = json.loads(answer.body)
                raise Rejected(known_cause(code) or Cause.CORRUPT, reason)
            self.close()
            if not worn:
                raise Rejected(Cause.TOO_COMPLEX, "the image takes too much memory to decode")
        return self._ask(work, kind, data)

    def _exchange(self, work: Work, kind: ImageType, data: bytes) -> _ChildReply:
        child = self._child = self._child or _Child(self._options)
        try:
            return child.exchange(work, kind, data, self._patience)
        except BaseException:  # also Ctrl-C: half an answer may be in the pipe
            self.close()
            raise


class _ChildDiedError(Exception):
    """The pipe ended. ``status`` is the exit status, negative for a signal."""

    def __init__(self, status: int, *, late: bool) -> None:
        super().__init__(status)
        self.status = status
        self.out_of_time = late or status == _OUT_OF_CPU


class _Child:
    """One process and the thread that watches its time. Raises ConfigError if it cannot serve."""

    def __init__(self, options: str) -> None:
        self._late = False
        self._deadline = math.inf
        self._lock = threading.Lock()
        self._ended = threading.Event()
        command = [sys.executable, "-P", "-m", "ldimport.media.child", options]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=nowhere, pipesize=1 << 20
            )
        except OSError as error:
            raise _unusable(str(error)) from error
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        try:
            greeting = self._receive()
        except _ChildDiedError as death:
            self.close()
            raise _unusable(f"it ended with status {death.status}") from death
        if greeting.outcome is ChildOutcome.UNUSABLE:
            self.close()
            raise _unusable(greeting.body.decode())
        threading.Thread(target=self._watch, daemon=True).start()

    def exchange(self, work: Work, kind: ImageType, data: bytes, seconds: float) -> _ChildReply:
        """Send one image and wait for its answer; kill the child after ``seconds``. Raises
        _ChildDiedError."""
        with self._lock:
            self._deadline = time.monotonic() + seconds
        try:
            self._requests.write(REQUEST.pack(work, KINDS.index(kind), len(data)) + data)
            self._requests.flush()
        except BrokenPipeError as error:
            raise self._death() from error
        answer = self._receive()
        with self._lock:
            self._deadline = math.inf
        return answer

    def close(self) -> None:
        """Kill the process and wait for it."""
        self._ended.set()
        self._process.kill()
        with suppress(BrokenPipeError), self._process:  # closes the pipes and waits
            pass

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            with self._lock:
                if time.monotonic() > self._deadline:
                    self._late = True
                    self._process.kill()
                    return

    def _receive(self) -> _ChildReply:
        header = self._replies.read(REPLY.size)
        if len(header) == REPLY.size:
            outcome, width, height, size = REPLY.unpack(header)
            body = self._replies.read(size)
            if len(body) == size:
                return _ChildReply(ChildOutcome(outcome), width, height, body)
        raise self._death()

    def _death(self) -> _ChildDiedError:
        return _ChildDiedError(self._process.wait(), late=self._late)


def _unusable(why: str) -> ConfigError:
    return ConfigError(
        f"the image decoder cannot be used: {why}",
        hint="install ldimport again, with all it needs: pip install --force-reinstall ldimport",
        code="decoder",
    )
