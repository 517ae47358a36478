"""A server that does not answer is told of while it is waited for, and when it answers again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ldimport.model import Notice, Silence

LATE = 3.0
"""Seconds of waiting for one answer after which a person wants to know."""

Tell = Callable[[Silence | Notice], None]
"""Hears of silence and its end, and of the end of an API version, from any thread, one call at a
time."""


class Patience:
    """Whether the server at ``place`` answers, as far as ``tell`` has been told; ``now`` is Unix
    time. Without ``tell`` nothing is done."""

    def __init__(self, place: str, tell: Tell | None, now: Callable[[], float]) -> None:
        self._place, self._tell, self._now = place, tell, now
        self._lock = threading.Lock()
        self._told = False
        self._announced: set[str] = set()
        self._asking = 0
        self._tries = 0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """One try; it is told of once it takes long."""
        if self._tell is None:
            yield
            return
        self._asking += 1
        self._tries += 1
        timer = threading.Timer(LATE, self._late, (self._asking,))
        timer.daemon = True
        with suppress(RuntimeError):  # no thread to be had: then it is told when it fails
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._asking += 1

    def failed(self, why: str, pause: float) -> None:
        """A try has failed, and the next one comes after so many seconds."""
        with self._lock:
            self._say(why, self._now() + pause)

    def answered(self) -> None:
        """The server has answered, whatever it says."""
        self._tries = 0
        if self._told:
            with self._lock:
                self._told = False
                assert self._tell is not None
                self._tell(Silence(self._place, f"{self._place} answers again", over=True))

    def announce(self, text: str | None) -> None:
        """What the server says of its API; each sentence is told once."""
        with self._lock:
            if text is not None and self._tell is not None and text not in self._announced:
                self._announced.add(text)
                self._tell(Notice("api-version-ends", text))

    def _late(self, asked: int) -> None:
        with self._lock:
            if asked == self._asking:
                self._say(f"{self._place} has not answered for {LATE:g} s", None)

    def _say(self, why: str, next_try: float | None) -> None:
        if self._tell is not None:
            self._told = True
            self._tell(Silence(self._place, why, self._tries, next_try))
