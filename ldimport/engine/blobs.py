"""Stored bytes, named by their sha256: the contract of whatever keeps them.

Putting is two steps, since a row may name a blob only once its bytes are durable: a worker puts a
group, ``settle`` makes all of it durable under its names, the rows are committed, ``forget``. What
a writer has settled and not forgotten may have no row: when it dies, ``recover`` removes that.
``blob_folder`` keeps blobs in a folder. A bucket would upload on ``put`` if the name is absent,
keep a list ``pending/<writer>`` for ``recover``, and have nothing to settle.
``tests/engine/test_blobs_contract.py`` runs against every implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BufferedIOBase
from typing import Protocol


class BlobWriter(Protocol):
    """One worker's way in; not shared. Raises TemporaryError when nothing can be written."""

    def put(self, data: bytes, sha256: str | None = None) -> str:
        """Take these bytes into the current group, if they are not stored yet; returns their
        sha256, which the caller may know already. Cheap: nothing is durable yet."""

    def settle(self) -> None:
        """Make the group durable under its names. After an error nothing of it counts as stored:
        a second call may not claim success for bytes that were lost."""

    def missing(self) -> set[str]:
        """Blobs of the group that somebody has removed since they were put. Asked where nobody
        may ``recover`` (see ``WorkerSession.work``)."""

    def forget(self) -> None:
        """The group has its rows; the next one begins."""


class Blobs(Protocol):
    """All blobs. A blob never changes: who reads one sees all of its bytes or none."""

    def size(self, sha256: str) -> int | None:
        """How many bytes are stored under this name; None when none are."""

    def open(self, sha256: str) -> BufferedIOBase:
        """The bytes, to be read from any place. Raises FileNotFoundError."""

    def delete(self, sha256: str) -> None:
        """Remove a blob; harmless when it is not there. Who has it open can read on."""

    def writer(self, name: str) -> BlobWriter:
        """A way in for the worker of this name, which no other has."""

    def leftovers(self) -> Sequence[str]:
        """Names of writers that have not ended in order, or are at work."""

    def recover(self, name: str, unreferenced: Callable[[Iterable[str]], Iterable[str]]) -> None:
        """Clear up behind a writer that is at its end: delete those of its blobs that
        ``unreferenced`` picks out, then all that it had under way."""
