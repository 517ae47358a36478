"""The embedded engine as a target: same protocol, nothing leaves this machine."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ldimport.engine.engine import Engine
from ldimport.model import Asset, Counts, ImportRequest, JobOptions, JobStatus, Json
from ldimport.targets.base import BatchLimits


class EmbeddedTarget:
    """Implements ``targets.base.Target``. ``workers`` processes carry out the images while
    inside ``work``, by default one per core."""

    def __init__(self, engine: Engine, workers: int | None = None) -> None:
        self.engine = engine
        self._workers = workers

    @property
    def identity(self) -> str:
        """``embedded:<uuid of the engine>``."""
        return f"embedded:{self.engine.uuid}"

    @property
    def label(self) -> str:
        """How screens name it."""
        return "local engine"

    @property
    def local(self) -> bool:
        """Nothing leaves this machine."""
        return True

    @property
    def limits(self) -> BatchLimits:
        """As large as Livingdocs would take them."""
        return BatchLimits()

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        """Accept one batch; see ``Engine.submit``."""
        self.engine.check_workers()
        return self.engine.submit(request, key, options)

    def status(self, job_id: str) -> JobStatus:
        """State of one job. Raises what ended the workers, if they did."""
        self.engine.check_workers()
        return self.engine.status(job_id)

    def progress(self, job_id: str) -> Counts | None:
        """Exact counts at any time. Raises what ended the workers, if they did."""
        self.engine.check_workers()
        return self.engine.progress(job_id)

    def find(self, system_name: str, external_id: str) -> Asset | None:
        """The asset stored under this identity, if any."""
        entry = self.engine.find(system_name, external_id)
        return None if entry is None else self.engine.asset(entry)

    def project_config(self) -> Json:
        """The project config in force."""
        return self.engine.config.raw

    def work(self) -> AbstractContextManager[None]:
        """Worker processes, as long as the context lasts."""
        return self.engine.working(self._workers)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()
