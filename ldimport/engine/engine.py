"""The engine's only door."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport import model
from ldimport.causes import known_cause
from ldimport.closing import Closing
from ldimport.engine import accept, addresses
from ldimport.engine.blobs import BlobFolder
from ldimport.engine.records import (
    JobSummary,
    MediaEntry,
    NewJob,
    StoredAsset,
    StoredImage,
    StoredRendition,
    StoredResult,
    Terms,
)
from ldimport.engine.store import Follower, Store, Tokens, open_store
from ldimport.errors import ConflictError, LdimportError, NotFoundError, StateFileError
from ldimport.model import (
    RENDITION_BYTES,
    Asset,
    Counts,
    ImportRequest,
    Integrity,
    JobOptions,
    Json,
    Limits,
    Variants,
)

if TYPE_CHECKING:
    from ldimport.engine.renditions import Renditions
    from ldimport.engine.worker_pool import WorkerPool
    from ldimport.media.rendition import Rendition
    from ldimport.schema.config import ProjectConfig


class Engine(Closing):
    """The import API's behaviour on one folder: store and blobs, no service needed.

    Several processes may use one folder at once. ``project_config`` is a file, its JSON, or what
    ``schema.config`` made of it; None means the documented default. ``allow_hosts``,
    ``allow_files`` and ``integrity``, or ``options`` in their place, hold for jobs submitted
    without options of their own. ``daily_limit`` 0 means no quota. ``public_url`` is where stored
    images are said to be; it may be set at any time. ``variants`` and ``key_in_results`` are how
    assets are shown (``model.Asset``). Of images in other sizes about ``rendition_bytes`` are kept
    in the folder, 0: none. Not ``write``: jobs and library are only looked at. Errors are those of
    ``ldimport.errors``.
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
        options: JobOptions | None = None,
        daily_limit: int = 0,
        public_url: str | None = None,
        variants: Variants = Variants.FORMAT,
        key_in_results: bool = False,
        rendition_bytes: int = RENDITION_BYTES,
        now: Callable[[], float] = time.time,
        write: bool = True,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.limits = limits or Limits()
        self.options = options or JobOptions(
            tuple(allow_hosts), tuple(map(str, allow_files)), Integrity(integrity)
        )
        self.daily_limit = daily_limit
        self.public_url = public_url or addresses.DEFAULT_PUBLIC_URL
        self.variants = variants
        self.key_in_results = key_in_results
        self._rendition_bytes = rendition_bytes
        self._renditions: Renditions | None = None
        self._first = threading.Lock()
        self._given_config = project_config
        self._config: ProjectConfig | None = None
        self.now = now
        """Unix time."""
        self._blobs = BlobFolder(self.folder)
        self.store: Store = open_store(self.folder, write=write)
        """For what stands beside this door: ``Sender``, pages."""
        self.uuid: str = self.store.uuid
        """The identity of this folder's engine, for ever."""
        self.tokens: Tokens = self.store.tokens
        """Who may use the engine when it is served."""
        self.damaged = False
        """Whether anything has met damage in the catalogue since it was opened."""
        if write:
            self._clear_up()
        self._pool: WorkerPool | None = None

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
        is accepted), KeyConflictError (the key was used for another request), QuotaError."""
        options = options or self.options
        body = "" if checked and key is None else accept.body_digest(request)
        found = None if key is None else self.store.jobs.of_key(key)
        if found is not None:
            return accept.same_request(found, body)
        request = accept.settled(request, options, self.config, checked)
        terms = Terms(self.config, options, self.limits)
        job = NewJob(addresses.new_job_id(), key, body, request, terms, self.now())
        return self.store.jobs.accept(job, self.daily_limit)

    def status(self, job_id: str) -> model.JobStatus:
        """State of a job, with its results once it has ended; an unknown id is ``lost``."""
        job = self.store.jobs.get(job_id)
        if job is None:
            return model.JobStatus(job_id, model.JobState.LOST)
        started = datetime.fromtimestamp(job.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        results = self._results(job) if job.state is model.JobState.SUCCESS else ()
        return model.JobStatus(job_id, job.state, started, results)

    def progress(self, job_id: str) -> Counts | None:
        """Images of a job by outcome so far; None for an unknown id."""
        job = self.store.jobs.get(job_id)
        return None if job is None else job.counts

    def outcomes(self, job_id: str) -> tuple[model.Result, ...]:
        """Images of a job that have their outcome already, while it runs too."""
        job = self.store.jobs.get(job_id)
        return () if job is None else self._results(job)

    def jobs(self, limit: int = 100, before: str | None = None) -> Sequence[JobSummary]:
        """Up to ``limit`` jobs, newest first; ``before`` (a job id) goes on after the last."""
        return self.store.jobs.newest(limit, before)

    # -- the media library ------------------------------------------------------------------

    def find(self, system_name: str, external_id: str) -> MediaEntry | None:
        """The media entry with this identity."""
        return self.store.library.find(system_name, external_id)

    def media(self, media_id: str) -> MediaEntry | None:
        """The media entry with this media id."""
        return self.store.library.get(media_id)

    def holdings(self) -> tuple[int, int]:
        """How many media entries there are, and the bytes of all originals."""
        return self.store.library.holdings()

    def sizes(self, system_name: str, bounds: Sequence[int]) -> Mapping[int, int]:
        """Media entries of an archive by how many of these bounds (bytes) their originals reach."""
        return self.store.library.sizes(system_name, bounds)

    def patch_media(
        self,
        media_id: str,
        operations: Sequence[Mapping[str, Json]],
        version: int | None = None,
        *,
        keep_updated_at: bool = False,
    ) -> MediaEntry:
        """Carry out ``setMetadataProperty`` operations on an entry, all or none. ``version`` is
        the one the caller saw; ``keep_updated_at`` leaves its time of change as it was. Raises
        NotFoundError, ConflictError (another version), InvalidRequestError with dotted paths
        (``patches.0.value``)."""

        def edit(entry: MediaEntry) -> MediaEntry:
            if version is not None and version != entry.version:
                raise ConflictError(f"Version: Expected {version} to be equal to {entry.version}")
            lenient = self.options.lenient
            metadata = accept.patched(self.config, entry, operations, lenient=lenient)
            at = entry.updated_at if keep_updated_at else self.now()
            filled = accept.filled_after(entry, metadata)
            return replace(entry, metadata=metadata, filled=filled, updated_at=at)

        changed = self.store.library.change(media_id, edit)
        if changed is None:
            raise NotFoundError(f"MediaLibrary Entry does not exist (id: '{media_id}')")
        return changed

    def asset(self, entry: MediaEntry) -> Asset:
        """An entry's asset as the API shows it, its addresses below ``public_url``."""
        return self._shown(entry.title, entry.asset)

    def _shown(self, title: str, stored: StoredAsset) -> Asset:
        found = addresses.asset(self.public_url, title, stored, self.variants)
        return replace(found, key=stored.key) if self.key_in_results else found

    def original(self, key: str) -> StoredImage | None:
        """The stored bytes behind ``key``: a storage key, or the ``id`` of an image address."""
        found = addresses.key_of(key)
        of = None if found is None else self.store.library.original(found)
        if of is None:
            return None
        return StoredImage(**asdict(of), open=partial(self._blobs.open, of.sha256))

    def rendition(self, key: str, form: Rendition) -> StoredRendition | None:
        """The image behind ``key`` (as for ``original``) in another size or format; None for an
        unknown one. An SVG stays itself, and so does an animation of which no size is asked. Made
        in a limited child and kept; who asks while others are drawn waits. Raises Rejected when
        this image cannot be drawn so, TemporaryError or ConfigError when the decoder cannot work,
        FileNotFoundError when the original is lost."""
        image = self.original(key)
        if image is None:
            return None
        return self.renditions.found(image, form) or self.renditions.made(image, form)

    @property
    def renditions(self) -> Renditions:
        """For who tells apart what is there and what has to be made."""
        with self._first:
            if self._renditions is None:
                from ldimport.engine.renditions import Renditions

                self._renditions = Renditions(self.folder, self._rendition_bytes)
            return self._renditions

    def refused(self, places: Iterable[str], allow_hosts: Iterable[str] = ()) -> Mapping[str, str]:
        """Of these hosts (``HOST`` or ``HOST:PORT``) those that it would not fetch from, with the
        reason; their names are asked for, for a few seconds in all."""
        from ldimport.net.guard import Guard, refused_places

        return refused_places(Guard(allow_hosts), places)

    # -- the work ---------------------------------------------------------------------------

    def follow(self) -> Follower:
        """Hear of jobs that are accepted and that end, by looking from time to time."""
        return self.store.jobs.follow()

    def notice(self, error: Exception) -> None:
        """Remember an error, if it shows that the catalogue is damaged."""
        self.damaged |= isinstance(error, StateFileError)

    def has_open(self) -> bool:
        """Whether accepted images wait for their outcome."""
        return self.store.jobs.open_images() > 0

    def stalled(self) -> tuple[bool, float | None]:
        """Whether images are open and nothing has moved for a lease; and for how many seconds the
        oldest leased image has been so (None: none is)."""
        found, now = self.store.activity(), self.now()
        oldest = None if found.leased_at is None else max(0.0, now - found.leased_at)
        return found.open > 0 and now - found.moved_at > self.limits.lease_seconds, oldest

    def run(self, workers: int = 0) -> None:
        """Carry out all open images: in the calling thread, or with so many worker processes.
        Returns when nothing is open."""
        if workers == 0:
            from ldimport.engine.worker import run_worker

            run_worker(self.store, self._blobs, until_done=True, now=self.now)
            return
        with self.working(workers):
            while self.has_open():
                self.check_workers()
                time.sleep(0.05)

    @contextmanager
    def working(self, workers: int | None = None, only: str | None = None) -> Iterator[None]:
        """Worker processes, by default one per core, as long as the context lasts, for all images
        or ``only`` those of one systemName; they are ended in order, and what they had begun is
        free at once."""
        from ldimport.engine.worker_pool import WorkerPool, cores

        size = cores() if workers is None else workers
        pool = self._pool = WorkerPool(self.folder, size, only)
        try:
            pool.start()
            yield
        finally:
            self._pool = None
            pool.end()
            self._clear_up()

    def _clear_up(self) -> None:
        with suppress(LdimportError):  # whoever works here next will do it, or meet it
            self.store.clear_up(self._blobs)

    def check_workers(self) -> None:
        """Raise what ended a worker of ``working`` for good (disk full), if anything did."""
        if self._pool is not None:
            self._pool.check()

    def close(self) -> None:
        """Close the store, end what draws renditions. May be called twice."""
        if self._renditions is not None:
            self._renditions.close()
        self.store.close()

    def _results(self, job: JobSummary) -> tuple[model.Result, ...]:
        found = self.store.jobs.results(job.id)
        return tuple(self._result(each, job.system_name) for each in found)

    def _result(self, of: StoredResult, system_name: str) -> model.Result:
        stored = of.asset
        asset = None if stored is None else self._shown(of.title, stored)
        why = known_cause(of.cause or "")
        retryable = None if why is None else why.retryable
        return model.Result(
            of.external_id, of.status, of.title, of.reason, asset, system_name, of.cause, retryable
        )
