"""The target over HTTP: Livingdocs itself, or ``ldimport serve``."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from ldimport.client import LivingdocsClient
from ldimport.errors import TooLargeError
from ldimport.model import (
    REQUESTS_PER_SECOND,
    Asset,
    Counts,
    ImportRequest,
    JobOptions,
    JobStatus,
    Json,
    Result,
)
from ldimport.targets.base import BatchLimits, Target, patches
from ldimport.url import host_of

SMALLEST_BATCH = 16_000
"""Bytes below which a server's 413 makes batches no smaller."""


class LivingdocsTarget(Target):
    """A ``Target`` over a ``LivingdocsClient``, which it closes. A batch the server finds too
    large (413, TooLargeError) halves ``limits.bytes`` for all that follow; it is asked at most
    ``requests_per_second`` questions."""

    local = False

    def __init__(
        self, client: LivingdocsClient, requests_per_second: float = REQUESTS_PER_SECOND
    ) -> None:
        self.requests_per_second = requests_per_second
        self.identity = client.base_url  # without version: two versions are one library
        self.label = host_of(client.base_url)
        self.limits = BatchLimits()
        self._client = client

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        """POST one batch. The server decides about hosts and integrity: of ``options`` it is told
        ``lenient`` alone."""
        try:
            return self._client.submit(request, key, lenient=options.lenient)
        except TooLargeError as error:
            if len(request.images) > 1:
                learned = max(error.size // 2, SMALLEST_BATCH)
                self.limits = replace(self.limits, bytes=min(self.limits.bytes, learned))
            raise

    def status(self, job_id: str) -> JobStatus:
        return self._client.status(job_id)

    def progress(self, job_id: str) -> Counts | None:
        return None  # the API tells nothing before a job's end

    def outcomes(self, job_id: str) -> Sequence[Result]:
        return ()

    def find(self, system_name: str, external_id: str) -> Asset | None:
        entry = self._client.find(system_name, external_id)
        if entry is None:
            return None
        return replace(
            entry.asset,
            media_type=entry.media_type,
            metadata=entry.metadata,
            version=entry.version,
            created_at=entry.created_at,
        )

    def clock_ahead(self) -> float | None:
        return self._client.clock_ahead

    def original(self, asset: Asset) -> bytes | None:
        return None

    def sizes(self, system_name: str, bounds: Sequence[int]) -> None:
        return None

    def patch(
        self, media_id: str, properties: Mapping[str, Json], version: int | None = None
    ) -> None:
        self._client.patch_media(media_id, patches(properties), version)

    def project_config(self) -> Json:
        return self._client.project_config()

    def refused(self, places: Iterable[str], allow_hosts: Sequence[str]) -> Mapping[str, str]:
        return {}

    def work(self, system_name: str | None = None) -> AbstractContextManager[None]:
        return nullcontext()  # the server works by itself

    def undelivered(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        self._client.close()
