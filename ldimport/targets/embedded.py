"""The embedded engine as a target: same protocol, nothing leaves this machine."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from ldimport.causes import Cause
from ldimport.engine.engine import Engine
from ldimport.engine.webhooks import DeliveryAttempt, Sender
from ldimport.errors import Rejected
from ldimport.model import (
    MAX_BATCH_BYTES,
    MAX_BODY_BYTES,
    Asset,
    Counts,
    ImportRequest,
    JobOptions,
    JobStatus,
    Json,
    Result,
)
from ldimport.targets.base import LOCAL, BatchLimits, Target, patches

HOOK_PATIENCE = 3.0
"""Seconds at the end of the work for webhooks that are due."""


class EmbeddedTarget(Target):
    """The engine in this process. Inside ``work``, ``workers`` processes carry out the images, by
    default one per core, and webhooks are sent, signed with ``secrets``. What has ended the
    workers is raised by whatever is asked next. A batch has at most ``max_body`` bytes, as if it
    were POSTed."""

    label = LOCAL
    local = True
    requests_per_second = math.inf

    def __init__(
        self,
        engine: Engine,
        workers: int | None = None,
        secrets: Sequence[str] = (),
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self.engine = engine
        self.identity = f"embedded:{engine.uuid}"
        self.limits = BatchLimits(bytes=min(MAX_BATCH_BYTES, max_body))
        self._workers = workers
        self._secrets = secrets
        self._undelivered: dict[str, str] = {}

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        self.engine.check_workers()
        return self.engine.submit(request, key, options)

    def status(self, job_id: str) -> JobStatus:
        self.engine.check_workers()
        return self.engine.status(job_id)

    def progress(self, job_id: str) -> Counts | None:
        self.engine.check_workers()
        return self.engine.progress(job_id)

    def outcomes(self, job_id: str) -> Sequence[Result]:
        return self.engine.outcomes(job_id)

    def find(self, system_name: str, external_id: str) -> Asset | None:
        entry = self.engine.find(system_name, external_id)
        if entry is None:
            return None
        return replace(
            self.engine.asset(entry),
            media_type=entry.media_type,
            metadata=entry.metadata,
            key=entry.asset.key,
            version=entry.version,
            size=entry.asset.size,
            created_at=datetime.fromtimestamp(entry.created_at, UTC).isoformat(),
        )

    def clock_ahead(self) -> float | None:
        return 0.0

    def original(self, asset: Asset) -> bytes | None:
        """The blob, which has to have the digest that the catalogue names."""
        stored = None if asset.key is None else self.engine.original(asset.key)
        try:
            if stored is None:
                raise FileNotFoundError
            with stored.open() as file:
                body = file.read()
        except OSError as error:
            raise Rejected(Cause.NO_SUCH_FILE, "the stored file is lost") from error
        if hashlib.sha256(body).hexdigest() != stored.sha256:
            raise Rejected(Cause.CORRUPT, "the stored file is damaged: it has another digest")
        return body

    def sizes(self, system_name: str, bounds: Sequence[int]) -> Mapping[int, int]:
        return self.engine.sizes(system_name, bounds)

    def patch(
        self, media_id: str, properties: Mapping[str, Json], version: int | None = None
    ) -> None:
        self.engine.patch_media(media_id, patches(properties), version)

    def project_config(self) -> Json:
        return self.engine.config.raw

    def refused(self, places: Iterable[str], allow_hosts: Sequence[str]) -> Mapping[str, str]:
        return self.engine.refused(places, allow_hosts)

    @contextmanager
    def work(self, system_name: str | None = None) -> Iterator[None]:
        """Worker processes, and whoever sends webhooks, as long as the context lasts. What does
        not arrive stays in the engine: the next run, or ``serve``, tries again. Raises
        ConfigError for a secret that is none."""
        sender = Sender(self.engine.store, self._secrets, on_attempt=self._tried)
        with self.engine.working(self._workers, system_name):
            sender.start()
            try:
                yield
            finally:
                sender.end(HOOK_PATIENCE)

    def undelivered(self) -> Sequence[str]:
        """Webhooks that did not arrive, with the reason of the last try."""
        return tuple(self._undelivered.values())

    def _tried(self, attempt: DeliveryAttempt) -> None:
        self._undelivered.pop(attempt.job, None)
        if attempt.note:
            text = f"webhook of job {attempt.job} to {attempt.url}: {attempt.note}"
            self._undelivered[attempt.job] = text

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()
