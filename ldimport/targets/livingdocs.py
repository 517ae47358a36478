"""The target over HTTP: Livingdocs itself, or ``ldimport serve``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from ldimport.client import LivingdocsClient
from ldimport.errors import TooLargeError
from ldimport.model import Asset, Counts, ImportRequest, JobOptions, JobStatus, Json
from ldimport.targets.base import BatchLimits
from ldimport.url import host_of

SMALLEST_BATCH = 16_000
"""Bytes below which a server's 413 makes batches no smaller."""


class LivingdocsTarget:
    """A ``Target`` over a ``LivingdocsClient``, which it closes. A batch the server finds too
    large (413, TooLargeError) halves ``limits.bytes`` for all that follow."""

    local = False

    def __init__(self, client: LivingdocsClient) -> None:
        self._client = client
        self._limits = BatchLimits()

    @property
    def identity(self) -> str:
        """The base URL without version: two versions of the API are one library."""
        return self._client.base_url

    @property
    def label(self) -> str:
        """The host."""
        return host_of(self._client.base_url)

    @property
    def limits(self) -> BatchLimits:
        """As learned so far."""
        return self._limits

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        """POST one batch. The server decides about hosts and integrity: ``options`` do nothing."""
        try:
            return self._client.submit(request, key)
        except TooLargeError as error:
            if len(request.images) > 1:
                learned = max(error.size // 2, SMALLEST_BATCH)
                self._limits = replace(self._limits, bytes=min(self._limits.bytes, learned))
            raise

    def status(self, job_id: str) -> JobStatus:
        """GET the state of one job."""
        return self._client.status(job_id)

    def progress(self, job_id: str) -> Counts | None:
        """None: the API tells nothing before a job's end."""
        return None

    def find(self, system_name: str, external_id: str) -> Asset | None:
        """Look the identity up in the media library."""
        entry = self._client.find(system_name, external_id)
        return None if entry is None else entry.asset

    def project_config(self) -> Json:
        """GET the project config, once."""
        return self._client.project_config()

    def work(self) -> AbstractContextManager[None]:
        """The server works by itself."""
        return nullcontext()

    def undelivered(self) -> Sequence[str]:
        """The server sends its webhooks itself."""
        return ()

    def close(self) -> None:
        """Close the client."""
        self._client.close()
