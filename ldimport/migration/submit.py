"""Submit a manifest: check all of it, plan, send what is new or changed, follow it to the end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from ldimport.errors import DeadlineError, ManifestError
from ldimport.migration.account import Account, Clock, SubmitOptions, Tick
from ldimport.migration.batch import Outgoing, Parcel, cut
from ldimport.migration.canary import Checkpoint, Probes, canary, spread
from ldimport.migration.events import Event, Planned
from ldimport.migration.hosts import PORTION, RECENT
from ldimport.migration.model import CauseRow, Filter, Totals, Waiver, added, ahead
from ldimport.migration.plan import Survey, survey
from ldimport.migration.run import Run
from ldimport.migration.source import Source
from ldimport.migration.validate import Validation
from ldimport.model import Notice, Result
from ldimport.targets.base import BatchLimits
from ldimport.url import host_of


class InvalidManifest(ManifestError):  # noqa: N818
    """The manifest has errors and nothing was sent; ``validation`` has the findings."""

    default_code = "invalid"

    def __init__(self, validation: Validation) -> None:
        super().__init__(
            f"{validation.invalid:,} of {validation.entries:,} rows have errors; nothing was sent",
            hint="correct them, or send the good rows with --valid-only"
            if validation.valid
            else "correct them",
        )
        self.validation = validation


def submit(
    account: Account, source: Source, options: SubmitOptions, tick: Tick | None = None
) -> Iterator[Event]:
    """Send what is new or changed and wait for its results.

    Yields notices, Planned, then what happens, and a Summary last. ``tick`` gets the bytes read
    while checking. Raises InvalidManifest when rows have errors (unless ``valid_only``), or
    DeadlineError when there is no time to check them, before anything is sent. What stops a run
    later is in the Summary.
    """
    if options.since is None:
        options = replace(options, since=account.clock.monotonic())
    options = replace(options, system_name=source.envelope.system_name)
    found = survey(account, source, options, _in_time(options, account.clock, tick))
    if found.validation.invalid and not options.valid_only:
        raise InvalidManifest(found.validation)
    for code, text in found.validation.notices:
        yield Notice(code, text)
    to_send = found.plan.to_send
    quota = account.quota(options.quota)
    forecast = quota.forecast(found.plan.sendable)
    yield Planned(found.plan, found.validation, quota, forecast)
    run = Run(account, options)
    sending = _Sending(account, source, options, found)
    yield from run.carry_out(sending.parcels(run, to_send), to_send)
    totals = sending.totals(run)
    causes = sending.causes(run) if totals.failed else ()
    end = replace(run.summary(totals, causes, found.plan), waived=sending.waivers(totals))
    end = end if options.limit is None else replace(end, own=sending.own(run))
    yield from run.recorded("submit", end)


def _in_time(options: SubmitOptions, clock: Clock, tick: Tick | None) -> Tick:
    """Hands on how far the check is, and ends it at the deadline."""
    ends = options.ends(options.since or 0.0)

    def checking(read: int) -> None:
        if clock.monotonic() >= ends:
            raise too_late(options.deadline)
        if tick is not None:
            tick(read)

    return checking


def too_late(deadline: float | None) -> DeadlineError:
    """The deadline passed while the manifest was read."""
    text = f"stopped after {deadline:g} s, as asked; the manifest is not read yet, nothing was sent"
    return DeadlineError(text, hint="run the same command again with more time")


@dataclass(frozen=True, slots=True)
class _Sending:
    """The second pass over the manifest, and what came of it; ``first`` are the ids of images that
    were sent before the others."""

    account: Account
    source: Source
    options: SubmitOptions
    found: Survey
    first: set[str] = field(default_factory=set)

    def parcels(self, run: Run, to_send: int) -> Iterator[Parcel | Checkpoint]:
        """At most ``to_send`` images, in batches: first a canary, where one is asked for, then a
        few of hosts that failed over and over before, then the others."""
        store, archive, many = self.account.store, self._archive, self.options.canary
        if many and to_send:
            run.trial = True
            yield from self._first(spread(self._rest(to_send), to_send, many))
            yield canary(self.account, archive, self.options)
            run.trial = False
        since = self.account.clock.now() - RECENT
        here = self.found.plan.sources
        hosts = {host: here[host] for host in store.failing_hosts(archive, since)
                 if here.get(host, 0) > PORTION}  # fmt: skip
        if hosts:
            probes = Probes(hosts, run.tracker.breaker)
            yield from self._first(filter(probes.wants, self._rest(to_send)))
            yield probes.checkpoint()
        breaker = run.tracker.breaker
        yield from self._batches(
            each for each in self._rest(to_send)
            if not breaker.held or breaker.lets(host_of(each.image.url))
        )  # fmt: skip

    def _first(self, images: Iterable[Outgoing]) -> Iterator[Parcel]:
        for parcel in self._batches(images):
            self.first.update(each.image.id for each in parcel.images)
            yield parcel

    def _rest(self, to_send: int) -> Iterator[Outgoing]:
        """What is to be sent and was not among the first."""
        first, rest = frozenset(self.first), self.found.picked.outgoing(self.source)
        if first:
            rest = (each for each in rest if each.image.id not in first)
        return islice(rest, to_send - len(first))

    def _batches(self, images: Iterable[Outgoing]) -> Iterator[Parcel]:
        source = self.source
        for batch, _ in cut(images, source.envelope.size, self._limits):
            source.manifest.check_unchanged()
            kind = (source.envelope, source.options, source.origin)
            yield Parcel(self._archive, *kind, tuple(batch))

    @property
    def _archive(self) -> int:
        archive = self.found.archive
        assert archive is not None  # the state file is open for writing
        return archive

    def _limits(self) -> BatchLimits:  # asked each time: a target may have learned smaller ones
        return self.account.target.limits.at_most(self.options.batch_size)

    def causes(self, run: Run) -> tuple[CauseRow, ...]:
        """Failures of this manifest; of the whole archive where they came from another file; with
        a limit those of this run."""
        if self.options.limit is not None:
            return self.account.store.causes_of(run.tracker.job_ids)
        name = self.source.envelope.system_name
        archive = Filter(target=self.account.target.identity, system_name=name)
        mine = replace(archive, manifest=self.source.origin.path)
        return self.account.store.causes(mine) or self.account.store.causes(archive)

    def waivers(self, totals: Totals) -> tuple[Waiver, ...]:
        """Why failures of this archive were accepted."""
        name, target = self.source.envelope.system_name, self.account.target.identity
        which = Filter(target=target, system_name=name)
        return self.account.store.waivers(which) if totals.waived else ()

    def totals(self, run: Run) -> Totals:
        """Each row of the manifest by its last outcome: what had arrived before, what was under
        way at the plan, what this run sent, and the rest."""
        found = self.found
        earlier = self.account.store.outcomes(found.archive, found.open_ids)
        mine = self.account.store.batch_outcomes(found.archive, run.batches)
        rest = Totals(unsubmitted=found.plan.to_send + found.plan.left_out - mine.rows)
        run.ahead = ahead(self._known(run))
        return added(Totals, (found.arrived, earlier, mine, rest, run.ahead))

    def own(self, run: Run) -> Totals:
        """The images that this run sent, and those that it was to send."""
        mine = self.account.store.batch_outcomes(self.found.archive, run.batches)
        known = (each for batch, told in run.tracker.known() if batch.id in run.batches
                 for each in told)  # fmt: skip
        rest = Totals(unsubmitted=self.found.plan.to_send - mine.rows)
        return added(Totals, (mine, ahead(known), rest))

    def _known(self, run: Run) -> Iterator[Result]:
        """Outcomes in jobs that go on, of the rows of this manifest."""
        under_way = set(self.found.open_ids)
        for batch, known in run.tracker.known():
            mine, here = batch.id in run.batches, batch.archive == self.found.archive
            yield from (each for each in known if mine or (here and each.external_id in under_way))
