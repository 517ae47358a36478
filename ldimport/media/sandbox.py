"""A child process in which decoders, the SVG sanitiser and readers of metadata meet hostile bytes,
and in which images are drawn in other sizes.

One child serves many images, one after the other, while its parent does something else; it is
limited in CPU time and memory, sees of our environment what Python needs, and is started again
after it died.
"""

from __future__ import annotations

import itertools
import json
import math
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ldimport.causes import Cause, known_cause
from ldimport.closing import Closing
from ldimport.errors import Rejected
from ldimport.media.child_process import Asked, ChildFailedError, ChildProcess, ChildReply, stuck
from ldimport.media.protocol import ChildOutcome, Work
from ldimport.media.rendition import Rendition
from ldimport.model import Facts, ImageType, Json, Limits
from ldimport.system import most_memory

MOST_BYTES, MOST_IMAGES = 64_000_000, 32
"""What is kept of images whose work has not ended, before one has to end. More would keep the child
no busier, only memory that is cold by then."""
_PACE = 250_000_000
"""Bytes a second that no decoder reaches."""
_OUT_OF_CPU = -getattr(signal, "SIGXCPU", 10_000)
"""Exit status of a child whose CPU time is used up; none of Windows' own."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What the child found: what to store for an SVG (``safe``) and its facts, metadata by the
    names of ``fields.FIELDS``, what it has ``drawn``, or why the image is refused."""

    safe: bytes = b""
    facts: Facts | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    refused: Rejected | None = None
    drawn: bytes = b""


_SOUND = Examined()


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
        self._child: ChildProcess | None = None
        self._tickets = itertools.count()
        self._open: deque[Asked] = deque()
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

    def render(self, data: bytes, facts: Facts, form: Rendition) -> bytes | None:
        """A png, jpg or gif that ``inspect`` accepted in another form: upright, in sRGB, without
        metadata, without alpha (on white) where the format has none; of an animation its first
        frame. None where no size was asked of an animation: nothing but the original stands for
        it. Raises Rejected as ``inspect`` and ``decode`` do."""
        return self._waited(self.begin(data, facts, Work.RENDER, form)).drawn or None

    def begin(
        self, data: bytes, facts: Facts | None, work: Work, form: Rendition | None = None
    ) -> int:
        """Have the child work on an image while this process does something else; ``ended`` tells
        what came of it by the number that is given here. ``facts`` are None for an SVG, ``form``
        is what to render it as."""
        kind = facts.type if facts else ImageType.SVG
        if (kind is ImageType.SVG) is not (work is Work.SANITISE):
            raise ValueError("an SVG is not decoded: see sanitise")
        asked = Asked(next(self._tickets), work, kind, data, form)
        self._open.append(asked)
        self._bytes += len(data)
        try:
            self._feed()
        except BaseException:
            self.close()
            raise
        return asked.ticket

    @property
    def is_full(self) -> bool:
        """Whether so much is under way that some of it should end before more begins."""
        return len(self._open) >= MOST_IMAGES or self._bytes >= MOST_BYTES

    def ended(self, seconds: float = 0) -> Mapping[int, Examined]:
        """What has ended since this was asked last; for the first of it the child is waited for
        so many seconds. Where enough is under way we are not woken for each. Metadata that takes
        too much to read is none."""
        if seconds and self.is_full:
            time.sleep(min(seconds, self._bytes / 2 / _PACE))
        while self._took_answer(0 if self._ended else seconds):
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
            self._took_answer(math.inf)
        found = self._ended.pop(ticket)
        if found.refused:
            raise found.refused
        return found

    def _feed(self) -> None:
        """Send what the child takes of the images that it has not got."""
        child = self._started()
        if child.open == len(self._open):
            return
        for asked in itertools.islice(self._open, child.open, MOST_IMAGES):
            if not child.send(asked):
                break

    def _took_answer(self, seconds: float) -> bool:
        """Whether the oldest image has ended, if there is one, within this time."""
        if not self._open:
            return False
        asked = self._open[0]
        try:
            if (ended := self._answer(asked, seconds)) is None:
                return False
            self._ended[asked.ticket] = ended
            self._open.popleft()
            self._bytes -= len(asked.data)
            if self._open:
                self._feed()
        except BaseException:  # half an exchange may be left, also by Ctrl-C
            self.close()
            raise
        return True

    def _answer(self, asked: Asked, seconds: float) -> Examined | None:
        """What the child says of the oldest image; None if it says nothing yet."""
        child = self._started()
        worn = child.answered > 0 or child.open > 1
        try:
            answer = child.receive(seconds)
            return answer and _examined(asked, answer)
        except ChildFailedError as failure:
            self._end_child()
            return self._judged(asked, failure, worn)

    def _judged(self, asked: Asked, failure: ChildFailedError, worn: bool) -> Examined:
        """What to make of a child that gave up over an image. When it was ``worn`` by earlier
        images, or had got others as well, this one goes alone through a new one. When that one did,
        the image is at fault only if decoding works at all."""
        if failure.late and sys.platform != "win32":
            raise stuck(f"it did nothing for {self._patience:g} seconds") from failure
        if asked.work == Work.DECODE | Work.METADATA:
            decoded = self._alone(asked._replace(work=Work.DECODE))
            return decoded if decoded.refused else self._alone(asked._replace(work=Work.METADATA))
        if failure.late or failure.status == _OUT_OF_CPU:
            reason = f"the image takes more than {self._seconds} seconds to decode"
            return _given_up(asked, reason)
        if asked.work is Work.PROVE:
            raise stuck(f"it broke down over an image that is sound ({failure})") from failure
        if worn:
            return self._alone(asked)
        self._alone(Asked(0, Work.PROVE, asked.kind, b""))
        return _given_up(asked, f"the decoder broke down over the image ({failure})")

    def _alone(self, asked: Asked) -> Examined:
        """One image through the child while nothing else is there."""
        worn, child = self._child is not None, self._started()
        try:
            child.send(asked)
            answer = child.receive(math.inf)
            assert answer
            return _examined(asked, answer)
        except ChildFailedError as failure:
            self._end_child()
            return self._judged(asked, failure, worn)

    def _started(self) -> ChildProcess:
        """The child; a new one if there is none."""
        if self._child:
            return self._child
        if (most := most_memory()) < self._memory:
            raise stuck(f"a process may have only {most / 1e6:,.0f} MB here (ulimit -v)")
        self._child = ChildProcess(self._options, self._memory, self._patience)
        return self._child

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


def _examined(asked: Asked, reply: ChildReply) -> Examined:
    """What an answer means. Raises ChildFailedError for one that is none."""
    if reply.outcome is ChildOutcome.EXHAUSTED:
        raise ChildFailedError("too much memory")
    if reply.outcome is ChildOutcome.REJECTED:
        code, reason = json.loads(reply.body)
        return Examined(refused=Rejected(known_cause(code) or Cause.CORRUPT, reason))
    if asked.work is Work.SANITISE:
        return Examined(reply.body, Facts(ImageType.SVG, reply.width, reply.height))
    if asked.work is Work.RENDER:
        return Examined(drawn=reply.body)
    return Examined(metadata=json.loads(reply.body)) if reply.body else _SOUND


def _given_up(asked: Asked, reason: str) -> Examined:
    """That an image takes too much; an image is never refused for its metadata."""
    metadata = asked.work is Work.METADATA
    return _SOUND if metadata else Examined(refused=Rejected(Cause.TOO_COMPLEX, reason))
