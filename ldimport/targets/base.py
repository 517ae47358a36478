"""The one interface between a migration and whatever carries out its imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from ldimport.model import (
    MAX_BATCH_BYTES,
    MAX_BATCH_IMAGES,
    Asset,
    Counts,
    ImportRequest,
    JobOptions,
    JobStatus,
    Json,
    Result,
)

LOCAL = "local engine"
"""How screens name the embedded engine."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large one POST may be: images, and bytes of its JSON body."""

    images: int = MAX_BATCH_IMAGES
    bytes: int = MAX_BATCH_BYTES

    def at_most(self, images: int | None) -> BatchLimits:
        """The same, but for so many images; None changes nothing."""
        return self if images is None else replace(self, images=min(images, self.images))


def patches(properties: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The operations of a PATCH that set these properties, or remove those of value None."""
    word = {"operation": "setMetadataProperty"}
    return [{**word, "propertyName": name, "value": value} for name, value in properties.items()]


class Target(Protocol):
    """Synchronous and small. Errors are those of ``ldimport.errors``: QuotaError, AuthError,
    TemporaryError (nothing known to be accepted: repeat with the same key), RefusedError."""

    identity: str
    """What the state file files images under: the base URL without version, or
    ``embedded:<uuid of the engine>``."""
    label: str
    """How screens name it: a host, or ``local engine``."""
    local: bool
    """Whether nothing leaves this machine's engine (relative urls, default systemName)."""
    limits: BatchLimits
    """How large a batch may be; may shrink while running (a server said 413)."""
    requests_per_second: float
    """How many questions it may be asked in a second, evenly spread; inf: any number."""

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        """Hand over one batch and return its job id. The same ``key`` and request again give
        the same id, where the target supports it. ``options`` matter to the embedded engine
        alone, but for ``lenient``: our own server is told."""

    def status(self, job_id: str) -> JobStatus:
        """State of one job; an unknown id is ``lost``, never an error."""

    def progress(self, job_id: str) -> Counts | None:
        """Counts while a job runs, or None where the target tells nothing before the end."""

    def outcomes(self, job_id: str) -> Sequence[Result]:
        """Images of a running job that have their outcome; asked where ``progress`` counts some."""

    def find(self, system_name: str, external_id: str) -> Asset | None:
        """The asset stored under this identity, if any, with all that the library tells of it."""

    def clock_ahead(self) -> float | None:
        """By how many seconds the target's clock is ahead of ours, as far as it has told."""

    def original(self, asset: Asset) -> bytes | None:
        """The stored bytes of what ``find`` found, where they are at hand (Rejected: they are lost
        or damaged); None: they are served at its ``original_url``."""

    def sizes(self, system_name: str, bounds: Sequence[int]) -> Mapping[int, int] | None:
        """Entries of an archive by how many of these bounds (bytes) their originals reach; an HTTP
        target tells of one entry at a time, and answers None."""

    def patch(
        self, media_id: str, properties: Mapping[str, Json], version: int | None = None
    ) -> None:
        """Set properties of an entry of the media library; None removes one. RefusedError
        ``conflict``: it is no longer of the ``version`` that ``find`` told; others of them, and
        ConfigError: it cannot be done."""

    def project_config(self) -> Json:
        """The target's project config, as the API answers it."""

    def work(self, system_name: str | None = None) -> AbstractContextManager[None]:
        """While inside, somebody works on the jobs, or on those of one archive: the embedded target
        runs workers, an HTTP target does nothing."""

    def refused(self, places: Iterable[str], allow_hosts: Sequence[str]) -> Mapping[str, str]:
        """Of these hosts (``HOST`` or ``HOST:PORT``) those that images are not fetched from, as
        they are not allowed, each with the reason; an HTTP target tells nothing of its own."""

    def undelivered(self) -> Sequence[str]:
        """Webhooks that did not arrive while somebody worked, each in a sentence; an HTTP target
        sends its own and says nothing."""

    def close(self) -> None:
        """Release connections and files. May be called twice."""
