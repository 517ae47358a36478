"""What a Fetcher is given, what it gives back, and what it remembers in between."""

from __future__ import annotations

from dataclasses import dataclass

from ldimport.errors import Rejected
from ldimport.url import Url


@dataclass(frozen=True, slots=True)
class Source:
    """A URL to fetch. With ``etag`` or ``last_modified`` (as the origin gave them) it is asked
    whether anything changed. ``tag`` is the caller's own and comes back untouched."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    tag: object = None

    @property
    def conditional(self) -> bool:
        """Whether "not modified" is an answer to it."""
        return bool(self.etag or self.last_modified)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of a source, or ``not_modified`` with none. ``final_url`` is where redirects led;
    ``content_type`` is the origin's claim."""

    source: Source
    body: bytes
    final_url: str
    content_type: str | None
    etag: str | None
    last_modified: str | None
    not_modified: bool


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A source that was given up, and why."""

    source: Source
    rejected: Rejected


Outcome = Fetched | NotFetched


@dataclass(slots=True)
class Task:
    """A source under way. ``url`` is where it stands now, ``hops`` redirects behind its own URL;
    ``begun`` and ``try_begun`` are clock times of the first try and of the one under way;
    ``failed`` is what became of the last one."""

    source: Source
    origin: Url
    url: Url
    hops: int = 0
    tries: int = 0
    begun: float | None = None
    try_begun: float | None = None
    failed: Rejected | None = None

    def fail(self, rejected: Rejected) -> None:
        """A try came to nothing; the next one starts from the source's own URL."""
        self.failed = rejected
        self.url = self.origin
        self.hops = 0
        self.try_begun = None
