"""The engine's only door."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection, Row
from types import TracebackType
from typing import TYPE_CHECKING

from ldimport import wire
from ldimport.engine import accept, addresses, jobs, library, quota
from ldimport.engine.blobs import BlobStore
from ldimport.engine.catalogue import Catalogue
from ldimport.engine.job_terms import limits_to_json
from ldimport.engine.records import JobSummary, MediaEntry, StoredImage
from ldimport.errors import ConflictError, NotFoundError
from ldimport.model import (
    Asset,
    Counts,
    ImportRequest,
    Integrity,
    JobOptions,
    JobState,
    JobStatus,
    Json,
    Limits,
    Result,
    Status,
)

if TYPE_CHECKING:
    from ldimport.engine.worker_pool import Crew
    from ldimport.schema.config import ProjectConfig


class Engine:
    """The import API's behaviour on one folder: catalogue (SQLite) and blobs, no service needed.

    Several processes may use one folder at once. ``project_config`` is a file, its JSON, or what
    ``schema.config`` made of it; None means the documented default. ``allow_hosts``,
    ``allow_files`` and ``integrity`` hold for jobs submitted without options of their own.
    ``daily_limit`` 0 means no quota. ``public_url`` is where stored images are said to be; it may
    be set at any time. Errors are those of ``ldimport.errors``.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        project_config: Path | Json | ProjectConfig | None = None,
        limits: Limits | None = None,
        allow_hosts: Iterable[str] = (),
        allow_files: Iterable[str | Path] = (),
        integrity: Integrity | str = Integrity.FULL,
        daily_limit: int = 0,
        public_url: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.limits = limits or Limits()
        self.options = JobOptions(
            tuple(allow_hosts), tuple(map(str, allow_files)), Integrity(integrity)
        )
        self.daily_limit = daily_limit
        self.public_url = public_url or addresses.DEFAULT_PUBLIC_URL
        self._given_config = project_config
        self._config: ProjectConfig | None = None
        self._now = now
        self._blobs = BlobStore(self.folder)
        self._catalogue = Catalogue(self.folder)
        self._crew: Crew | None = None

    @property
    def uuid(self) -> str:
        """The identity of this folder's engine, for ever."""
        return self._catalogue.uuid

    @property
    def catalogue(self) -> Catalogue:
        """For what stands beside this door in a server: ``Tokens``, ``Sender``, ``Follower``."""
        return self._catalogue

    @property
    def config(self) -> ProjectConfig:
        """The project config in force for new jobs. Raises ConfigError when it is broken."""
        if self._config is None:
            self._config = accept.project_config(self._given_config)
        return self._config

    # -- jobs -------------------------------------------------------------------------------

    def submit(
        self,
        request: ImportRequest,
        key: str | None = None,
        options: JobOptions | None = None,
        *,
        checked: bool = False,
    ) -> str:
        """Accept a batch (``checked``: by ``wire`` already) and return its job id; it is durable.

        The same ``key`` and request again give the same id. Raises InvalidRequestError (nothing
        is accepted), KeyConflictError (the key was used for another request), QuotaError.
        """
        options = options or self.options
        body = accept.body_digest(request)
        with self._catalogue.reading() as connection:
            earlier = accept.earlier(connection, key, body)
        if earlier is not None:
            return earlier
        request = accept.settled(request, options, self.config, checked)
        now = self._now()
        with self._catalogue.writing() as connection:
            earlier = accept.earlier(connection, key, body)
            if earlier is not None:  # accepted by another process meanwhile
                return earlier
            quota.check(connection, self.daily_limit, len(request.images), now)
            terms = self._terms(connection, options)
            job = jobs.NewJob(addresses.new_job_id(), key, body, terms, now)
            jobs.accept(connection, job, request)
        return job.id

    def status(self, job_id: str) -> JobStatus:
        """State of a job, with its results once it has ended; an unknown id is ``lost``."""
        with self._catalogue.reading() as connection:
            row = jobs.get(connection, job_id)
            if row is None:
                return JobStatus(job_id, JobState.LOST)
            state = JobState(row["state"])
            found = jobs.results(connection, row["n"]) if state is JobState.SUCCESS else []
        started = datetime.fromtimestamp(row["created_at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        results = tuple(self._result(each, row["system_name"]) for each in found)
        return JobStatus(job_id, state, started, results)

    def progress(self, job_id: str) -> Counts | None:
        """Images of a job by outcome so far; None for an unknown id."""
        with self._catalogue.reading() as connection:
            row = jobs.get(connection, job_id)
        return None if row is None else jobs.counts(row)

    def jobs(self, limit: int = 100, before: str | None = None) -> list[JobSummary]:
        """Up to ``limit`` jobs, newest first; ``before`` (a job id) goes on after the last."""
        with self._catalogue.reading() as connection:
            return jobs.newest(connection, limit, before)

    # -- the media library ------------------------------------------------------------------

    def find(self, system_name: str, external_id: str) -> MediaEntry | None:
        """The media entry with this identity."""
        with self._catalogue.reading() as connection:
            return library.find(connection, system_name, external_id)

    def media(self, media_id: str) -> MediaEntry | None:
        """The media entry with this media id."""
        with self._catalogue.reading() as connection:
            return library.get(connection, media_id)

    def patch_media(
        self,
        media_id: str,
        operations: Sequence[Mapping[str, Json]],
        version: int | None = None,
        *,
        keep_updated_at: bool = False,
    ) -> MediaEntry:
        """Carry out ``setMetadataProperty`` operations on an entry, all or none.

        ``version`` is the one the caller saw; ``keep_updated_at`` leaves its time of change as it
        was. Raises NotFoundError, ConflictError (another version), InvalidRequestError with
        dotted paths (``patches.0.value``).
        """
        with self._catalogue.writing() as connection:
            entry = library.get(connection, media_id)
            if entry is None:
                raise NotFoundError(f"MediaLibrary Entry does not exist (id: '{media_id}')")
            if version is not None and version != entry.version:
                raise ConflictError(f"Version: Expected {version} to be equal to {entry.version}")
            from ldimport.engine import patches

            metadata = patches.apply(self.config, entry, operations)
            at = entry.updated_at if keep_updated_at else self._now()
            library.set_metadata(connection, media_id, metadata, at)
            changed = library.get(connection, media_id)
        assert changed is not None
        return changed

    def asset(self, entry: MediaEntry) -> Asset:
        """An entry's asset as the API shows it, its addresses below ``public_url``."""
        of = entry.asset
        return addresses.asset(
            self.public_url,
            entry.title,
            entry.id,
            of.key,
            of.size,
            of.width,
            of.height,
            of.mime_type,
        )

    def original(self, key: str) -> StoredImage | None:
        """The stored bytes behind ``key``: a storage key, or the ``id`` of an image address."""
        found = addresses.key_of(key)
        if found is None:
            return None
        with self._catalogue.reading() as connection:
            of = library.original(connection, found)
        if of is None:
            return None
        path = self._blobs.path(of.sha256)
        return StoredImage(path, of.mime_type, of.size, of.sha256, of.file_name)

    # -- the work ---------------------------------------------------------------------------

    def has_open(self) -> bool:
        """Whether accepted images wait for their outcome."""
        with self._catalogue.reading() as connection:
            return jobs.open_images(connection) > 0

    def run(self, workers: int = 0) -> None:
        """Carry out all open images: in the calling thread, or with so many worker processes.
        Returns when nothing is open."""
        if workers == 0:
            from ldimport.engine.worker import run_worker

            run_worker(self.folder, until_done=True, now=self._now)
            return
        with self.working(workers):
            while self.has_open():
                self.check_workers()
                time.sleep(0.05)

    @contextmanager
    def working(self, workers: int | None = None) -> Iterator[None]:
        """Worker processes, by default one per core, as long as the context lasts; they are
        ended in order, and what they had begun is free at once."""
        from ldimport.engine.worker_pool import Crew, cores

        crew = Crew(self.folder, cores() if workers is None else workers)
        self._crew = crew
        try:
            crew.start()
            yield
        finally:
            self._crew = None
            crew.end()

    def check_workers(self) -> None:
        """Raise what ended a worker of ``working`` for good (disk full), if anything did."""
        if self._crew is not None:
            self._crew.check()

    # -- the rest ---------------------------------------------------------------------------

    def close(self) -> None:
        """Close the catalogue. May be called twice."""
        self._catalogue.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _terms(self, connection: Connection, options: JobOptions) -> int:
        config = self.config
        return jobs.terms_row(
            connection,
            config.digest,
            json.dumps(config.raw),
            config.origin,
            wire.options_to_json(options),
            limits_to_json(self.limits),
        )

    def _result(self, row: Row, system_name: str) -> Result:
        asset = None
        if row["key"] is not None:
            asset = addresses.asset(
                self.public_url,
                row["file_name"],
                row["media"],
                row["key"],
                row["size"],
                row["width"],
                row["height"],
                row["mime_type"],
            )
        status, title = Status(row["status"]), row["file_name"]
        return Result(row["external_id"], status, title, row["reason"], asset, system_name)
