"""What is told of an archive at its end, for its owner to sign: sums that add up, the course of the
move, causes, origins, sizes, a sample, failures and evidence. No words for a page, no pictures'
bytes but those of the sample."""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ldimport.migration.model import (
    ArchiveName,
    ArchiveSums,
    CauseRow,
    Filter,
    ResultRow,
    RunRow,
    Totals,
    Waiver,
)
from ldimport.migration.proof import Begun
from ldimport.model import Status

if TYPE_CHECKING:
    from ldimport.migration.store import StateStore
    from ldimport.targets.base import Target

HOUR, DAY = 3_600, 86_400
BY_HOUR = 3 * DAY
"""A move that took no longer, in seconds, is shown by the hour."""
MOST_COLUMNS = 120
MOST_HOSTS = 12
MOST_TYPES = 8
MOST_CAUSES = 12
MOST_FAILURES = 500
SIDES = tuple(250 * 2**n for n in range(7))
"""Where bins of longer sides begin, in pixels; below the first one is a bin too."""
SIZES = tuple(1_000 * 2**n for n in range(17))
"""Where bins of file sizes begin, in bytes."""


class ImageGroup(NamedTuple):
    """So many images with the same of all this; ``side`` is the longer one, in whole steps of the
    first of ``SIDES``."""

    place: str | None
    side: int | None
    mime_type: str | None
    outcome: str
    images: int


@dataclass(frozen=True, slots=True)
class Binned:
    """Images from ``least`` to ``below`` (None: no bound), pixels or bytes."""

    least: int
    below: int | None
    images: int


@dataclass(frozen=True, slots=True)
class HostImages:
    """Images that came from one host, and how many of them failed, waived ones among them;
    ``host`` is empty for files below a folder."""

    host: str
    images: int
    failed: int


@dataclass(frozen=True, slots=True)
class ImageSums:
    """Every image of an archive, counted anew. ``hosts`` are those with most images of
    ``hosts_in_all``, ``other_hosts`` the sum of the rest; ``sides`` and ``types`` are of images
    that the target told them of."""

    totals: Totals
    hosts: tuple[HostImages, ...]
    hosts_in_all: int
    other_hosts: HostImages
    sides: tuple[Binned, ...]
    types: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Ends:
    """Outcomes in the n-th interval; an image that was sent twice has two."""

    n: int
    success: int
    skipped: int
    failed: int

    @property
    def images(self) -> int:
        """All of them."""
        return self.success + self.skipped + self.failed


@dataclass(frozen=True, slots=True)
class Course:
    """How a move went: from how many manifests, its jobs, of which some were ``lost`` or ``failed``
    as a whole, batches that were ``refused``; first and last submission and end (Unix seconds);
    ``ends`` by intervals of ``each`` seconds from ``since`` on, those in which nothing ended left
    out."""

    manifests: int
    jobs: int
    lost: int
    failed: int
    refused: int
    first_at: float | None
    last_at: float | None
    last_end: float | None
    ends: tuple[Ends, ...]
    each: int
    since: float


@dataclass(frozen=True, slots=True)
class FileDigest:
    """SHA-256 of a file as it lies there now, by its name; None: it cannot be read any more.
    ``changed_at`` is when it was last written (Unix seconds)."""

    name: str
    sha256: str | None
    changed_at: float | None = None


@dataclass(frozen=True, slots=True)
class SentManifest:
    """A manifest as it was named, with what was sent of it and when (Unix seconds), and its files;
    ``path`` as in ``batch.Origin``."""

    name: str
    path: str
    batches: int
    images: int
    first_at: float
    last_at: float
    digests: tuple[FileDigest, ...]


@dataclass(frozen=True, slots=True)
class Looks:
    """What the last verification, ``begun`` so, found by now, and when."""

    begun: Begun
    same: int
    differs: int
    missing: int
    first_at: float | None
    last_at: float | None

    @property
    def checked(self) -> int:
        """Images that were looked up."""
        return self.same + self.differs + self.missing


@dataclass(frozen=True, slots=True)
class Sampled:
    """An image of the sample, and where it is now and came from."""

    external_id: str
    row: int
    title: str
    url: str | None
    original_url: str | None
    source_url: str


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture as bytes of this type; without one ``why`` there is none."""

    of: Sampled
    data: bytes = b""
    mime_type: str = ""
    why: str | None = None


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How many ``thumbnails`` there are to be; None: as many as is usual on the local engine, and
    none elsewhere. Those of a server are fetched through the guard, of which ``allow_hosts`` are
    exceptions."""

    thumbnails: int | None = None
    allow_hosts: tuple[str, ...] = ()
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """One archive. ``causes`` are the most frequent of ``causes_in_all``, ``failures`` the first
    ones, their URLs without queries; ``sizes`` are file sizes, None where nobody told any;
    ``thumbnails`` None where none were asked for, ``fetched`` whether they came over the
    network."""

    archive: ArchiveSums
    images: ImageSums
    course: Course
    causes: tuple[CauseRow, ...]
    causes_in_all: int
    failures: tuple[ResultRow, ...]
    waivers: tuple[Waiver, ...]
    manifests: tuple[SentManifest, ...]
    looks: Looks | None
    last_run: RunRow | None
    sizes: tuple[Binned, ...] | None
    thumbnails: tuple[Thumbnail, ...] | None
    fetched: bool = False

    @property
    def totals(self) -> Totals:
        """Images by outcome, counted anew."""
        return self.images.totals

    @property
    def sums_agree(self) -> bool:
        """Whether the stored sums are those of the images."""
        stored = replace(self.archive.totals, not_taken_over=0)
        return stored == self.totals


USUAL_THUMBNAILS = 120


def report(
    store: StateStore, target: Target | None, archive: ArchiveSums, options: SampleOptions
) -> ArchiveReport:
    """What the state file, and of its own images the local engine, tell of an archive, all of one
    moment; ``target`` is that engine where it is at hand. A picture that cannot be had says why,
    and raises nothing; TemporaryError and ConfigError where no picture can be drawn at all."""
    number = store.archive(archive.target, archive.label, archive.system_name)
    assert number is not None, "the state file knows it"
    of = ArchiveName(archive.target, archive.system_name)
    which = Filter(**asdict(of))
    local = target if target is not None and target.identity == archive.target else None
    failed = replace(which, status=Status.FAILED)
    with store.one_moment():
        (archive,) = store.archives(**asdict(of))  # with its sums of this moment
        images = store.image_sums(number)
        causes = store.causes(which)
        found = ArchiveReport(
            archive,
            images,
            store.course(number),
            causes[:MOST_CAUSES],
            len(causes),
            tuple(map(_without_queries, islice(store.results(failed), MOST_FAILURES))),
            store.waivers(which),
            tuple(store.manifests(number)),
            store.looks(number),
            next(iter(store.runs(**asdict(of), most=1)), None),
            _sizes(store, number, local, archive.system_name),
            None,
        )
        sample = _sample(store, number, local, images.totals, options)
    manifests = tuple(replace(each, digests=_digests(each.path)) for each in found.manifests)
    found = replace(found, manifests=manifests)
    if sample is None:
        return found
    from ldimport.migration.thumbnails import thumbnails

    pictures = thumbnails(sample, archive, local, options)
    return replace(found, thumbnails=pictures, fetched=local is None and bool(sample))


def _sample(
    store: StateStore, number: int, local: Target | None, totals: Totals, options: SampleOptions
) -> list[Sampled] | None:
    most = options.thumbnails
    if most is None:
        most = USUAL_THUMBNAILS if local else 0
    if most == 0:
        return None
    there = totals.success + totals.skipped
    skipped = min(totals.skipped, round(most * totals.skipped / there)) if there else 0
    found = store.even_sample(number, Status.SUCCESS, totals.success, most - skipped)
    found += store.even_sample(number, Status.SKIPPED, totals.skipped, skipped)
    return sorted(found, key=lambda each: (each.row, each.external_id))


def _sizes(
    store: StateStore, number: int, local: Target | None, name: str
) -> tuple[Binned, ...] | None:
    """The engine's own, else those that looks at the media library told."""
    told = None if local is None else local.sizes(name, SIZES)
    found = store.looked_sizes(number, SIZES) if told is None else told
    return bins(found, SIZES) if found else None


def width_of(seconds: float) -> int:
    """Of the intervals in which a move of this length is shown, in seconds: an hour, else whole
    days, as many as leave ``MOST_COLUMNS``."""
    return HOUR if seconds <= BY_HOUR else DAY * -int(-seconds // (DAY * MOST_COLUMNS))


def step(value: int, bounds: Sequence[int]) -> int:
    """How many of the bounds a value reaches."""
    return bisect_right(bounds, value)


def bins(steps: Mapping[int, int], bounds: Sequence[int]) -> tuple[Binned, ...]:
    """Images by step as bins, from the first one that holds any to the last."""
    if not steps:
        return ()
    edges = (0, *bounds)
    return tuple(
        Binned(edges[n], bounds[n] if n < len(bounds) else None, steps.get(n, 0))
        for n in range(min(steps), max(steps) + 1)
    )


_WORD = re.compile(r"\S+")
_QUERY = re.compile(r"[?#].*")


def without_query(text: str) -> str:
    """A URL, or a sentence with some, without their queries: there signatures stand."""
    return _WORD.sub(lambda word: _QUERY.sub("", word[0]) if "://" in word[0] else word[0], text)


def _without_queries(row: ResultRow) -> ResultRow:
    reason = None if row.reason is None else without_query(row.reason)
    return row._replace(source_url=without_query(row.source_url), reason=reason)


def _digests(path: str) -> tuple[FileDigest, ...]:
    return tuple(digest_of(Path(each)) for each in path.split(os.pathsep))


def digest_of(path: Path) -> FileDigest:
    """Of a regular file as it lies there now."""
    try:
        if not path.is_file():  # a device or a pipe would never end
            return FileDigest(path.name, None)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return FileDigest(path.name, sha256, os.fstat(file.fileno()).st_mtime)
    except OSError:  # gone, or no longer ours to read: which is what is told
        return FileDigest(path.name, None)
