"""A child process in which decoders, the SVG sanitiser and readers of metadata meet hostile bytes.

One child serves many images, one after the other; it is limited in CPU time and memory, sees of our
environment what Python needs, and is started again after it died. A request is a header (work,
kind, size, place) and, where it does not lie in the memory file that both share, the image; an
answer is a header (outcome, width, height, size) and a body: the cleaned SVG, metadata as JSON, or
code and reason of a refusal as JSON. Answers come in the order of the requests, of which several
may be under way.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import select
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import IntEnum, IntFlag
from typing import NamedTuple, TypeVar

from ldimport.causes import Cause, known_cause
from ldimport.closing import Closing
from ldimport.errors import ConfigError, Rejected, TemporaryError
from ldimport.media.arena import SIZE, Arena
from ldimport.model import Facts, ImageType, Json, Limits
from ldimport.system import cpu_seconds, most_memory

_Found = TypeVar("_Found")

REQUEST = struct.Struct(">BBII")
REPLY = struct.Struct(">BIII")
KINDS = (ImageType.PNG, ImageType.JPG, ImageType.GIF, ImageType.SVG)
"""A request names its kind by the position here."""
IN_PIPE = 0xFFFFFFFF
"""The place of an image that follows its header."""
MOST_AHEAD = 32
"""Requests sent to the child that it has not answered; their headers always fit into the pipe."""
MOST_BYTES, MOST_IMAGES = 64_000_000, 256
"""What is kept of images whose work has not ended, before one has to end."""
_TICK = 0.2
"""Seconds between two looks at a child that is at work."""
_NEEDED = re.compile(
    r"PATH|SYSTEMROOT|LANG|LC_\w+|TMPDIR|TEMP|TMP|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_\w+"
    r"|__PYVENV_LAUNCHER__|PYTHON(PATH|HOME|UTF8|USERBASE|NOUSERSITE|DONTWRITEBYTECODE)"
)
"""What Python starts by; nothing else of our environment, which may hold secrets, is passed on."""
_OUT_OF_CPU = -getattr(signal, "SIGXCPU", 10_000)
"""Exit status of a child whose CPU time is used up; none of Windows' own."""


class Work(IntFlag):
    """First byte of a request: what to do with the image. Decoding and reading its metadata may be
    asked for together."""

    DECODE = 1
    METADATA = 2
    SANITISE = 4
    PROVE = 8
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


@dataclass(frozen=True, slots=True)
class Examined:
    """What the child found: what to store for an SVG (``safe``) and its facts, metadata by the
    names of ``fields.FIELDS``, or why the image is refused."""

    safe: bytes = b""
    facts: Facts | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    refused: Rejected | None = None


_SOUND = Examined()


class _Asked(NamedTuple):
    ticket: int
    work: Work
    kind: ImageType
    data: bytes


class Sandbox(Closing):
    """Start, feed and replace the child. To be used by one thread at a time.

    ``seconds`` of CPU time are granted to each image, ``memory_bytes`` of address space to the
    child; one that does not use its CPU time is waited for ``patience`` times as long. Nothing
    runs until the first image comes. Whatever is asked raises ConfigError if the decoder is not
    installed, TemporaryError if it cannot work, which says nothing about any image; what was under
    way is forgotten then.
    """

    def __init__(
        self, limits: Limits, *, seconds: float = 10, memory_bytes: int = 450_000_000,
        patience: float = 3,
    ) -> None:  # fmt: skip
        self._seconds = max(1, math.ceil(seconds))
        self._patience = self._seconds * patience
        self._memory = memory_bytes
        self._options = {"limits": asdict(limits), "seconds": self._seconds}
        self._child: _Child | None = None
        self._tickets = itertools.count()
        self._open: deque[_Asked] = deque()
        self._bytes = 0
        self._ended: dict[int, Examined] = {}

    def decode(self, data: bytes, facts: Facts) -> None:
        """Decode every pixel of a png, jpg or gif that ``inspect`` accepted. Raises Rejected
        ``corrupt``, ``truncated`` or ``too-complex``."""
        self._waited(self.begin(data, facts, Work.DECODE))

    def sanitise(self, data: bytes) -> tuple[bytes, Facts]:
        """What to store for an SVG, and the facts of that. Raises Rejected as ``inspect`` does,
        and as ``decode`` does."""
        found = self._waited(self.begin(data, None, Work.SANITISE))
        assert found.facts
        return found.safe, found.facts

    def metadata(self, data: bytes, facts: Facts) -> Mapping[str, Json]:
        """What the image says of itself, by the names of ``fields.FIELDS``; nothing where reading
        it takes too much."""
        if facts.type is ImageType.SVG:
            return {}
        return self._waited(self.begin(data, facts, Work.METADATA)).metadata

    def begin(self, data: bytes, facts: Facts | None, work: Work) -> int:
        """Have the child work on an image while this process does something else; ``ended`` tells
        what came of it by the number that is given here. ``facts`` are None for an SVG."""
        kind = facts.type if facts else ImageType.SVG
        if (kind is ImageType.SVG) is not (work is Work.SANITISE):
            raise ValueError("an SVG is not decoded: see sanitise")
        asked = _Asked(next(self._tickets), work, kind, data)
        self._open.append(asked)
        self._bytes += len(data)
        self._guarded(self._feed)
        return asked.ticket

    @property
    def is_full(self) -> bool:
        """Whether so much is under way that some of it should end before more begins."""
        return len(self._open) >= MOST_IMAGES or self._bytes >= MOST_BYTES

    def ended(self, *, wait: bool = False) -> Mapping[int, Examined]:
        """What has ended since this was asked last; with ``wait`` something, if anything is under
        way. Metadata that takes too much to read is none."""
        while self._guarded(lambda: self._took_answer(wait and not self._ended)):
            pass
        ended, self._ended = self._ended, {}
        return ended

    def close(self) -> None:
        """End the child and forget what is under way. May be called twice; the next image would
        start another."""
        self._open.clear()
        self._ended.clear()
        self._bytes = 0
        self._end_child()

    def _waited(self, ticket: int) -> Examined:
        while ticket not in self._ended:
            self._guarded(lambda: self._took_answer(True))
        found = self._ended.pop(ticket)
        if found.refused:
            raise found.refused
        return found

    def _guarded(self, step: Callable[[], _Found]) -> _Found:
        """No error leaves half an exchange behind, nor does Ctrl-C."""
        try:
            return step()
        except BaseException:
            self.close()
            raise

    def _feed(self) -> None:
        """Send what the child takes of the images that it has not got."""
        child = self._started()
        for asked in itertools.islice(self._open, child.open, MOST_AHEAD):
            if not child.send(asked):
                break

    def _took_answer(self, wait: bool) -> bool:
        """Whether the oldest image has ended; with ``wait`` it is waited for, if there is one."""
        if not self._open:
            return False
        asked, child = self._open[0], self._started()
        worn = child.answered > 0 or child.open > 1
        try:
            answer = child.receive(wait)
            if answer is None:
                return False
            ended = _examined(asked, answer)
        except _ChildFailedError as failure:
            self._end_child()
            ended = self._judged(asked, failure, worn)
        self._ended[asked.ticket] = ended
        self._open.popleft()
        self._bytes -= len(asked.data)
        if self._open:
            self._feed()
        return True

    def _judged(self, asked: _Asked, failure: _ChildFailedError, worn: bool) -> Examined:
        """What to make of a child that gave up over an image. When it was ``worn`` by earlier
        images, or had got others as well, this one goes alone through a new one. When that one did,
        the image is at fault only if decoding works at all."""
        if failure.late and sys.platform != "win32":
            raise _stuck(f"it did nothing for {self._patience:g} seconds") from failure
        if asked.work == Work.DECODE | Work.METADATA:
            decoded = self._alone(asked._replace(work=Work.DECODE))
            return decoded if decoded.refused else self._alone(asked._replace(work=Work.METADATA))
        if failure.late or failure.status == _OUT_OF_CPU:
            reason = f"the image takes more than {self._seconds} seconds to decode"
            return _given_up(asked, reason)
        if asked.work is Work.PROVE:
            raise _stuck(f"it broke down over an image that is sound ({failure})") from failure
        if worn:
            return self._alone(asked)
        self._alone(_Asked(0, Work.PROVE, asked.kind, b""))
        return _given_up(asked, f"the decoder broke down over the image ({failure})")

    def _alone(self, asked: _Asked) -> Examined:
        """One image through the child while nothing else is there."""
        worn, child = self._child is not None, self._started()
        try:
            child.send(asked)
            answer = child.receive(True)
            assert answer
            return _examined(asked, answer)
        except _ChildFailedError as failure:
            self._end_child()
            return self._judged(asked, failure, worn)

    def _started(self) -> _Child:
        """The child; a new one if there is none."""
        if self._child:
            return self._child
        if (most := most_memory()) < self._memory:
            raise _stuck(f"a process may have only {most / 1e6:,.0f} MB here (ulimit -v)")
        self._child = _Child(self._options, self._memory, self._patience)
        return self._child

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


class _ChildFailedError(Exception):
    """No answer. ``status`` is the exit status, negative for a signal; ``late`` says that we ended
    it, since it used neither its CPU time nor gave an answer."""

    def __init__(self, reason: str, status: int = 0, *, late: bool = False) -> None:
        super().__init__(reason)
        self.status, self.late = status, late


class _Child:
    """One process, the memory that it shares with us, and the thread that watches its time.
    Raises ConfigError if it is not installed, TemporaryError if it cannot work."""

    def __init__(self, options: Mapping[str, object], memory: int, patience: float) -> None:
        self.answered = 0
        self._late = self._greeted = False
        self._patience = self._ticks = patience / _TICK
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._places: deque[int] = deque()
        self._unread = bytearray()
        self._arena = Arena()
        shared = [self._arena.descriptor] if self._arena.descriptor is not None else []
        options = {**options, "shared": shared, "memory": memory + SIZE * len(shared)}
        command = [sys.executable, "-P", "-m", "ldimport.media.child", json.dumps(options)]
        environment = {name: os.environ[name] for name in filter(_NEEDED.fullmatch, os.environ)}
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=nowhere, pipesize=1 << 20,
                env=environment, pass_fds=shared,
            )  # fmt: skip
        except OSError as error:
            self._arena.close()
            gone = isinstance(error, FileNotFoundError | PermissionError)
            raise (_unusable if gone else _stuck)(str(error)) from error
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout.fileno()
        try:
            threading.Thread(target=self._watch, daemon=True).start()
        except RuntimeError as failure:
            self.close()
            raise _stuck(f"it does not start: {failure}") from failure

    @property
    def open(self) -> int:
        """Requests that it has not answered."""
        return len(self._places)

    def send(self, asked: _Asked) -> bool:
        """Whether it takes one more image now. One that is dead takes it too: ``receive`` tells."""
        place = self._arena.put(asked.data)
        if place is None and self._places:
            return False
        self._places.append(IN_PIPE if place is None else place)
        if len(self._places) == 1:
            self._grant()
        kind, size = KINDS.index(asked.kind), len(asked.data)
        with suppress(BrokenPipeError):
            self._requests.write(REQUEST.pack(asked.work, kind, size, self._places[-1]))
            if place is None:
                self._requests.write(asked.data)
            self._requests.flush()
        return True

    def receive(self, wait: bool) -> _ChildReply | None:
        """The next answer; None if it is not there, which ``wait`` waits for. Raises
        _ChildFailedError."""
        if not self._greeted and not self._is_greeted(wait):
            return None
        if reply := self._read(wait):
            self.answered += 1
            if self._places.popleft() != IN_PIPE:
                self._arena.forget_oldest()
            self._grant()
        return reply

    def close(self) -> None:
        """Kill the process and wait for it."""
        self._ended.set()
        self._process.kill()
        with suppress(BrokenPipeError), self._process:  # closes the pipes and waits
            pass
        self._arena.close()

    def _is_greeted(self, wait: bool) -> bool:
        try:
            greeting = self._read(wait)
        except _ChildFailedError as failure:
            raise _stuck(f"it does not start: {failure}") from failure
        if greeting and greeting.outcome is ChildOutcome.UNUSABLE:
            raise _unusable(greeting.body.decode())
        self._greeted = greeting is not None
        return self._greeted

    def _grant(self) -> None:
        """Patience begins anew, with the next image."""
        with self._lock:
            self._ticks = self._patience if self._places else math.inf

    def _watch(self) -> None:
        """Kill the child once it has kept us waiting for too long without using its CPU time. Ticks
        are counted, so that no time passes while this process is stopped as well (Ctrl-Z), nor
        while there is an answer that we have not read."""
        used = 0.0
        while not self._ended.wait(_TICK):
            with self._lock:
                before, used = used, cpu_seconds(self._process.pid)
                self._ticks -= used == before and not self._has_said()
                if self._ticks <= 0:
                    self._late = True
                    self._process.kill()
                    return

    def _has_said(self) -> bool:
        """Whether there is something to read, if only its end. Windows does not tell."""
        if sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self._replies, select.POLLIN)
        return bool(poll.poll(0))

    def _read(self, wait: bool) -> _ChildReply | None:
        while True:
            if len(self._unread) >= REPLY.size:
                outcome, width, height, size = REPLY.unpack_from(self._unread)
                if len(self._unread) >= (end := REPLY.size + size):
                    body = bytes(self._unread[REPLY.size : end])
                    del self._unread[:end]
                    return _ChildReply(ChildOutcome(outcome), width, height, body)
            if not (wait or sys.platform == "win32" or self._has_said()):
                return None
            if not (more := os.read(self._replies, 1 << 16)):
                status = self._process.wait()
                raise _ChildFailedError(f"status {status}", status, late=self._late)
            self._unread += more


def _examined(asked: _Asked, reply: _ChildReply) -> Examined:
    """What an answer means. Raises _ChildFailedError for one that is none."""
    if reply.outcome is ChildOutcome.EXHAUSTED:
        raise _ChildFailedError("too much memory")
    if reply.outcome is ChildOutcome.REJECTED:
        code, reason = json.loads(reply.body)
        return Examined(refused=Rejected(known_cause(code) or Cause.CORRUPT, reason))
    if asked.work is Work.SANITISE:
        return Examined(reply.body, Facts(ImageType.SVG, reply.width, reply.height))
    return Examined(metadata=json.loads(reply.body)) if reply.body else _SOUND


def _given_up(asked: _Asked, reason: str) -> Examined:
    """That an image takes too much; an image is never refused for its metadata."""
    metadata = asked.work is Work.METADATA
    return _SOUND if metadata else Examined(refused=Rejected(Cause.TOO_COMPLEX, reason))


def _stuck(why: str) -> TemporaryError:
    hint = "no image was judged; see that a process of 450 MB can run, and run it again"
    return TemporaryError(f"the image decoder cannot work: {why}", hint=hint, code="decoder")


def _unusable(why: str) -> ConfigError:
    hint = "pip install --force-reinstall .   in the clone of ldimport: again, with all it needs"
    return ConfigError(f"the image decoder cannot be used: {why}", hint=hint, code="decoder")
