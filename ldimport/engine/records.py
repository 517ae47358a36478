"""What the engine's parts hand each other, and what its door answers: frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ldimport.model import Counts, Facts, Image, JobState, Json, Status

ALREADY_EXISTS = "already exists"
"""The seed's reason for ``skipped``."""


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One stored original. ``key`` is its storage path ``YYYY/MM/DD/<uuid>.<ending>``; sizes in
    pixels and bytes; ``sha256`` of the stored bytes names the blob."""

    key: str
    mime_type: str
    width: int
    height: int
    size: int
    sha256: str
    file_name: str


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """One entry of the media library. ``metadata`` is what was sent and what the file's own
    metadata filled in; times are Unix seconds; ``version`` grows with every change."""

    id: str
    version: int
    media_type: str
    title: str
    metadata: Mapping[str, Json]
    asset: StoredAsset
    system_name: str
    external_id: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An original to serve. ``etag`` is the sha256 of its bytes, as hex digits."""

    path: Path
    mime_type: str
    size: int
    etag: str
    file_name: str


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job without its results; times are Unix seconds."""

    id: str
    state: JobState
    counts: Counts
    system_name: str
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the library holds under a task's identity. ``request`` is the fingerprint of the
    request that made it so; ``sha256`` names the stored blob, ``source_sha256`` what was fetched
    (they differ for a sanitised SVG); ``etag`` and ``last_modified`` belong to ``url``."""

    media_id: str
    asset: int
    request: str
    url: str
    etag: str | None
    last_modified: str | None
    sha256: str
    source_sha256: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Task:
    """One open image, leased by ``worker``. ``image.media_type`` is never None here."""

    item: int
    worker: int
    system_name: str
    image: Image
    known: Known | None


@dataclass(frozen=True, slots=True)
class NewBytes:
    """Bytes stored for a task: hashes as in ``Known``, ``size`` of the stored ones."""

    sha256: str
    source_sha256: str
    size: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    ``success`` with ``new`` creates the entry or gives it new bytes, without it changes only what
    was sent. ``metadata`` is what the entry shall hold. The validators are None where the source
    gave none, and are taken over for ``success`` and ``skipped``.
    """

    task: Task
    status: Status
    reason: str | None = None
    metadata: Mapping[str, Json] | None = None
    new: NewBytes | None = None
    request: str = ""
    etag: str | None = None
    last_modified: str | None = None
