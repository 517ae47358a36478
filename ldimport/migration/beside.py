"""Waiting for a server, and getting the next batch ready meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Ahead(Generic[_T]):
    """The items of an iterator, the next of which may be made ready before it is asked for. What
    goes wrong then is raised when it is."""

    def __init__(self, items: Iterator[_T]) -> None:
        self._items = items
        self._ready: list[_T | None] = []
        self._error: Exception | None = None

    def prepare(self) -> None:
        """Make the next item ready."""
        if self._ready or self._error is not None:
            return
        try:
            self._ready.append(next(self._items, None))
        except Exception as error:  # noqa: BLE001  raised by ``take``
            self._error = error

    def take(self) -> _T | None:
        """The next item; None at the end."""
        self.prepare()
        if self._error is not None:
            raise self._error
        return self._ready.pop()


def beside(wait: Callable[[], _T], work: Callable[[], None] | None) -> _T:
    """What ``wait`` gives or raises, in a thread of its own where there is ``work`` to be done
    meanwhile. An interrupt is met here at once; that thread keeps no process from its end."""
    if work is None:
        return wait()
    answers: list[_T] = []
    errors: list[BaseException] = []

    def waiting() -> None:
        try:
            answers.append(wait())
        except BaseException as error:  # noqa: BLE001  raised below
            errors.append(error)

    thread = threading.Thread(target=waiting, name="request", daemon=True)
    thread.start()
    work()
    thread.join()
    if errors:
        raise errors[0]
    return answers[0]
