"""The process behind ``sandbox``, the memory that it shares with us, and its time."""

from __future__ import annotations

import json
import math
import os
import re
import select
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from ldimport.errors import ConfigError, TemporaryError
from ldimport.media.arena import SIZE, Arena
from ldimport.media.protocol import (
    IN_PIPE,
    KINDS,
    REPLY,
    REQUEST,
    ChildOutcome,
    Work,
    packed,
)
from ldimport.media.rendition import Rendition
from ldimport.model import ImageType
from ldimport.system import cpu_seconds

_TICK = 0.2
"""Seconds between two looks at a child that is at work."""
_NEEDED = re.compile(
    r"PATH|SYSTEMROOT|LANG|LC_\w+|TMPDIR|TEMP|TMP|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_\w+"
    r"|__PYVENV_LAUNCHER__|PYTHON(PATH|HOME|UTF8|USERBASE|NOUSERSITE|DONTWRITEBYTECODE)"
)
"""What Python starts by; nothing else of our environment, which may hold secrets, is passed on."""


class Asked(NamedTuple):
    """An image that the child is to work on; ``form`` is what it is to be rendered as."""

    ticket: int
    work: Work
    kind: ImageType
    data: bytes
    form: Rendition | None = None


class ChildReply(NamedTuple):
    """An answer; what its body means depends on what was asked."""

    outcome: ChildOutcome
    width: int
    height: int
    body: bytes


class ChildFailedError(Exception):
    """No answer. ``status`` is the exit status, negative for a signal; ``late`` says that we ended
    it, since it used neither its CPU time nor gave an answer."""

    def __init__(self, reason: str, status: int = 0, *, late: bool = False) -> None:
        super().__init__(reason)
        self.status, self.late = status, late


class ChildProcess:
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
            raise (unusable if gone else stuck)(str(error)) from error
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout.fileno()
        try:
            threading.Thread(target=self._watch, daemon=True).start()
        except RuntimeError as failure:
            self.close()
            raise stuck(f"it does not start: {failure}") from failure

    @property
    def open(self) -> int:
        """Requests that it has not answered."""
        return len(self._places)

    def send(self, asked: Asked) -> bool:
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
            if asked.form is not None:
                self._requests.write(packed(asked.form))
            if place is None:
                self._requests.write(asked.data)
            self._requests.flush()
        return True

    def receive(self, seconds: float) -> ChildReply | None:
        """The next answer; None if it is not there in this time. Raises ChildFailedError."""
        if sys.platform == "win32":  # where nobody knows whether there is something to read
            seconds = math.inf
        if not self._greeted and not self._is_greeted(seconds):
            return None
        if reply := self._read(seconds):
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

    def _is_greeted(self, seconds: float) -> bool:
        try:
            greeting = self._read(seconds)
        except ChildFailedError as failure:
            raise stuck(f"it does not start: {failure}") from failure
        self._greeted = greeting is not None
        return self._greeted

    def _grant(self) -> None:
        """Patience begins anew, with the next image."""
        with self._lock:
            self._ticks = self._patience if self._places else math.inf

    def _watch(self) -> None:
        """Kill the child once it has kept us waiting for too long without using its CPU time. Ticks
        are counted, so that no time passes while this process is stopped as well (Ctrl-Z)."""
        used = 0.0
        while not self._ended.wait(_TICK):
            with self._lock:
                before, used = used, cpu_seconds(self._process.pid)
                idle = sys.platform != "win32" and self._has_said()  # we have not read it
                self._ticks -= used == before and not idle
                if self._ticks <= 0:
                    self._late = True
                    self._process.kill()
                    return

    def _has_said(self, seconds: float = 0) -> bool:
        """Whether there is something to read in this time, if only its end."""
        poll = select.poll()
        poll.register(self._replies, select.POLLIN)
        return bool(poll.poll(seconds * 1_000))

    def _read(self, seconds: float) -> ChildReply | None:
        while True:
            if len(self._unread) >= REPLY.size:
                outcome, width, height, size = REPLY.unpack_from(self._unread)
                if len(self._unread) >= (end := REPLY.size + size):
                    body = bytes(self._unread[REPLY.size : end])
                    del self._unread[:end]
                    if outcome == ChildOutcome.UNUSABLE:
                        raise unusable(body.decode())
                    return ChildReply(ChildOutcome(outcome), width, height, body)
            if seconds < math.inf and not self._has_said(seconds):
                return None
            if not (more := os.read(self._replies, 1 << 16)):
                status = self._process.wait()
                raise ChildFailedError(f"status {status}", status, late=self._late)
            self._unread += more


def stuck(why: str) -> TemporaryError:
    """That the decoder cannot work, through no fault of an image."""
    hint = "no image was judged; see that a process of 450 MB can run, and run it again"
    return TemporaryError(f"the image decoder cannot work: {why}", hint=hint, code="decoder")


def unusable(why: str) -> ConfigError:
    """That it is not installed."""
    hint = "pip install --force-reinstall .   in the clone of ldimport: again, with all it needs"
    return ConfigError(f"the image decoder cannot be used: {why}", hint=hint, code="decoder")
