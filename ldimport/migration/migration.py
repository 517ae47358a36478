"""The door to the use cases: one state file and one target."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.causes import known_cause, proposable
from ldimport.closing import Closing
from ldimport.errors import UsageError, did_you_mean, near
from ldimport.migration.account import Account, Clock, RetryOptions, RunOptions, SubmitOptions, Tick
from ldimport.migration.confirm import is_clear
from ldimport.migration.events import Event, Plan
from ldimport.migration.model import (
    ArchiveName,
    ArchiveSums,
    AtWork,
    Failed,
    Filter,
    JobRow,
    Known,
    Overview,
    Totals,
    WaiverChange,
    added,
)
from ldimport.migration.prospects import Prospect, prospects
from ldimport.migration.quota import Quota, QuotaRules
from ldimport.migration.retry import retry
from ldimport.migration.store import StateStore
from ldimport.migration.watch import watch
from ldimport.model import Asset, JobState, JobStatus
from ldimport.targets.base import Target
from ldimport.url import host_of

if TYPE_CHECKING:
    from ldimport.migration.compare import Properties
    from ldimport.migration.handover import LookUp
    from ldimport.migration.plan import Preview
    from ldimport.migration.proof import Mismatch, Verified
    from ldimport.migration.rebuild import Rebuilt
    from ldimport.migration.report import ArchiveReport, SampleOptions
    from ldimport.migration.source import Source
    from ldimport.migration.validate import Validation
    from ldimport.migration.verify import VerifyEvent, VerifyOptions
    from ldimport.schema.config import ProjectConfig


class Migration(Closing):
    """One archive's account (the state file) and, where something is to be sent or asked, the
    target it goes to. Everything that commands want to know or do is a method of this; what is
    merely read is answered by the state file's own methods.

    ``submit``, ``retry`` and ``watch`` yield events (``migration.events``), a Summary last.
    Throwing KeyboardInterrupt into such a generator ends it in order: it answers with the
    Summary of what was done.
    """

    def __init__(
        self, store: StateStore, target: Target | None = None, clock: Clock | None = None
    ) -> None:
        self._store = store
        self._target = target
        self._clock = clock or Clock()
        self.archives = store.archives
        self.overview = store.overview
        self.jobs = store.jobs
        self.last_ended = store.last_ended
        self.job_status = store.job_status
        self.results = store.results
        self.failed_rows = store.failed_rows
        self.causes = store.causes
        self.holds = store.holds
        self.dialects = store.dialects
        self.waivers = store.waivers
        self.history = store.history
        self.contacts = store.contacts
        self.runs = store.runs

    @classmethod
    def open(
        cls, path: Path, *, write: bool, command: str = "", target: Target | None = None
    ) -> Migration:
        """Open the state file at ``path``; see ``StateStore.open`` for the errors."""
        return cls(StateStore.open(path, write=write, command=command), target)

    def at(self, target: Target) -> Migration:
        """The same state file, with a target."""
        return Migration(self._store, target, self._clock)

    @property
    def target(self) -> Target:
        """Where images go."""
        assert self._target is not None, "this command named no target"
        return self._target

    def close(self) -> None:
        """Close the state file; the target stays open."""
        self._store.close()

    @property
    def _account(self) -> Account:
        return Account(self._store, self.target, self._clock)

    # -- what is known ----------------------------------------------------------------------

    def job(self, job_id: str) -> JobRow:
        """One job. Raises UsageError, with what was probably meant, for an unknown id."""
        row = self._store.job(job_id)
        if row is None:
            known = self._store.job_ids()
            listed = "ldimport status   lists the jobs" if known else "nothing was submitted yet"
            hint = did_you_mean(job_id, known, listed)
            raise UsageError(f"no job “{job_id}” in the state file", hint=hint, code="unknown-job")
        return row

    def overview_now(self, found: Overview, *, workers: bool = False) -> Overview:
        """What the state file told, with what the target tells of open jobs before their end, and
        who is at work; ``workers``: some of the local engine's are alive."""
        scopes = {(each.target, each.system_name): each for each in found.scopes}
        for row in self._under_way():
            now = self._account.as_now(row)
            done, place = now.counts, (row.target, row.system_name)
            if now is not row and (of := scopes.get(place)):
                ended = min(of.totals.pending, done.total - done.pending)
                more = Totals(done.success, done.skipped, done.failed, -ended)
                scopes[place] = replace(of, totals=added(Totals, (of.totals, more)))
        totals = added(Totals, (each.totals for each in scopes.values()))
        at_work, jobs = AtWork(self._store.holder, workers), tuple(map(self.as_now, found.jobs))
        return replace(found, jobs=jobs, scopes=(*scopes.values(),), totals=totals, at_work=at_work)

    def as_now(self, row: JobRow) -> JobRow:
        """A job with what the target, if there is one here, tells of it before its end."""
        return row if self._target is None else self._account.as_now(row)

    def _under_way(self) -> Iterator[JobRow]:
        """Open jobs of a target that tells more of them than the state file."""
        if self._target is not None and self._target.local:
            here = self._target.identity
            yield from self._store.jobs(self._store.open_job_ids(target=here), target=here)

    def check_cause(self, code: str) -> None:
        """Raises UsageError, with what was probably meant, for a cause that nobody knows: neither
        this version nor an image in the state file."""
        if known_cause(code) is not None:
            return
        own = dict.fromkeys(row.cause for row in self.causes())
        if code not in own:
            listed = f"images failed for: {', '.join(own)}" if own else "no image has failed"
            known = own if near(code, own) else [*own, *proposable()]
            hint = did_you_mean(code, known, listed, "causes")
            raise UsageError(f"there is no cause “{code}”", hint=hint, code="unknown-cause")

    def check_host(self, host: str, archive: ArchiveName) -> None:
        """Raises UsageError, with what was probably meant, for a host that no image came from."""
        if not self.holds(Filter(host=host)):
            which = Filter(target=archive.target, system_name=archive.system_name)
            hosts = {host_of(row.source_url) for row in self.results(which)} - {""}
            hint = did_you_mean(host, hosts, f"known are {', '.join(sorted(hosts)[:8])}")
            text = f"no image came from the host “{host}”"
            raise UsageError(text, hint=hint if hosts else None, code="unknown-host")

    def check_ids(self, archive: ArchiveName, ids: Sequence[str]) -> dict[str, Known]:
        """What is known of these images, by their ids. Raises UsageError, with what was probably
        meant, for one that none of these archives has."""
        found: dict[str, Known] = {}
        numbers = [
            number
            for each in self.archives(**asdict(archive))
            if (number := self._store.archive(each.target, each.label, each.system_name))
        ]
        for number in numbers:
            found |= self._store.known(number, ids)
        for id_ in ids:
            if id_ not in found:
                raise self._store.unknown_id(id_, numbers)
        return found

    def refresh(self, job_id: str) -> JobStatus | None:
        """Ask the target about one open job, and store its end when writable and clear; None when
        the job is not open there. A running one comes with the results that are known already."""
        for batch in self._account.open_batches([job_id]):
            job = self.target.status(job_id)
            if job.finished and self._store.writable and is_clear(batch, job):
                self._store.settle(batch, job, self._clock.now())
            if job.state is JobState.STARTED:
                return replace(job, results=tuple(self._account.outcomes(job_id)))
            return job
        return None

    def quota(self, rules: QuotaRules | None = None) -> Quota:
        """What is known of the target's quota by now."""
        return self._account.quota(rules or QuotaRules())

    def prospects(self, archives: Iterable[ArchiveSums], rules: QuotaRules) -> list[Prospect]:
        """Of each archive, how it stands with the quota, and how its last run ended."""
        return list(prospects(self._store, archives, rules, self._clock.now()))

    def system_names(self) -> list[str]:
        """The systemNames that the state file has used for the target."""
        return self._store.system_names(self.target.identity)

    def sent_before(self, source: Source) -> tuple[str, str] | None:
        """See ``migration.plan``."""
        from ldimport.migration.namesakes import sent_before

        return sent_before(self._account, source)

    def report(self, archive: ArchiveSums, options: SampleOptions) -> ArchiveReport:
        """See ``migration.report``; more of it where the target is the engine that has it."""
        from ldimport.migration.report import report

        return report(self._store, self._target, archive, options)

    # -- what is done -----------------------------------------------------------------------

    def plan(
        self, source: Source, options: SubmitOptions | None = None, tick: Tick | None = None
    ) -> tuple[Plan, Validation]:
        """What ``submit`` would do, and the findings in the manifest. Nothing is sent."""
        from ldimport.migration.plan import survey

        found = survey(self._account, source, options or SubmitOptions(), tick)
        return found.plan, found.validation

    def preview(
        self, source: Source, options: SubmitOptions | None = None, most: int = 1
    ) -> Iterator[Preview]:
        """The first entries that ``submit`` would send, beside their rows."""
        from ldimport.migration.plan import preview

        return preview(self._account, source, options or SubmitOptions(), most)

    def preview_of(self, source: Source, what: str) -> Preview | None:
        """The entry with this id, else that of the row of this number, as it would be sent."""
        from ldimport.migration.plan import preview_of

        return preview_of(self._account, source, what)

    def submit(
        self, source: Source, options: SubmitOptions | None = None, tick: Tick | None = None
    ) -> Iterator[Event]:
        """See ``migration.submit``."""
        from ldimport.migration.submit import submit

        return submit(self._account, source, options or SubmitOptions(), tick)

    def retry(self, options: RetryOptions | None = None) -> Iterator[Event]:
        """See ``migration.retry``."""
        return retry(self._account, options or RetryOptions())

    def waive(
        self,
        archive: ArchiveSums,
        which: Failed,
        ids: Iterable[str] | None,
        because: str | None,
    ) -> WaiverChange:
        """See ``migration.waive``."""
        from ldimport.migration.waive import waive

        number = self._store.archive(archive.target, archive.label, archive.system_name)
        assert number is not None  # the state file knows it
        return waive(self._store, number, which, ids, because, self._clock.now())

    def watch(
        self,
        job_ids: Sequence[str] = (),
        *,
        system_name: str | None = None,
        deadline: float | None = None,
    ) -> Iterator[Event]:
        """See ``migration.watch``; of one archive, where it is named. Raises UsageError for an
        unknown job."""
        for job_id in job_ids:
            self.job(job_id)
        return watch(self._account, job_ids, RunOptions(deadline=deadline, system_name=system_name))

    def verify(
        self,
        system_names: Sequence[str],
        options: VerifyOptions,
        config: ProjectConfig | None = None,
    ) -> Iterator[VerifyEvent]:
        """See ``migration.verify``; without a ``config`` less is said of metadata."""
        from ldimport.migration.verify import verify

        return verify(self._account, system_names, options, _properties(config))

    def rebuild(self, source: Source, rate: float | None = None) -> Generator[Rebuilt, None, None]:
        """See ``migration.rebuild``."""
        from ldimport.migration.rebuild import rebuild

        return rebuild(self._account, source, _properties(source.config), rate)

    def look_up(self, rate: float | None) -> LookUp:
        """Asks the target's media library, ``rate`` times a second at most; None: as the target
        says."""
        from ldimport.migration.pace import Asking

        target = self.target
        ask = Asking(self._clock, target.requests_per_second if rate is None else rate)

        def asked(system_name: str, external_id: str) -> Asset | None:
            return ask(lambda: target.find(system_name, external_id))

        return asked

    def findings(self, of: Verified) -> Iterator[Mismatch]:
        """Every image that a verification did not find as expected."""
        for place in of.findings:
            yield from self._store.findings(*place)


def _properties(config: ProjectConfig | None) -> Properties:
    from ldimport.migration.compare import Properties

    types = {} if config is None else config.media_types
    names = {handle: frozenset(each.properties) for handle, each in types.items()}
    filled = {handle: each.fillable for handle, each in types.items()}
    return Properties(names, filled)
