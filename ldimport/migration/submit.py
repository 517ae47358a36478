"""Submit a manifest: check all of it, plan, send what is new or changed, follow it to the end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from ldimport.errors import DeadlineError, ManifestError
from ldimport.migration.account import Account, Clock, SubmitOptions, Tick
from ldimport.migration.batch import Outgoing, Parcel, cut
from ldimport.migration.causes import joined
from ldimport.migration.events import Event, Planned
from ldimport.migration.model import CauseRow, Filter, Totals, added
from ldimport.migration.plan import Survey, compare, survey
from ldimport.migration.run import Run
from ldimport.migration.source import Source
from ldimport.migration.tracker import ahead
from ldimport.migration.validate import Validation
from ldimport.model import Notice, Result
from ldimport.targets.base import BatchLimits


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
    forecast = quota.forecast(found.plan.new + found.plan.changed)
    yield Planned(found.plan, found.validation, quota, forecast)
    run = Run(account, options)
    sending = _Sending(account, source, options, found)
    yield from run.carry_out(sending.parcels(to_send), to_send)
    totals = sending.totals(run)
    causes = sending.causes(run) if totals.failed else ()
    end = run.summary(totals, causes, found.plan)
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
    """The second pass over the manifest, and what came of it."""

    account: Account
    source: Source
    options: SubmitOptions
    found: Survey

    def parcels(self, to_send: int) -> Iterator[Parcel]:
        """At most ``to_send`` images, in batches."""
        source, archive = self.source, self.found.archive
        assert archive is not None  # the state file is open for writing
        outgoing = islice(self._to_send(), to_send)
        for images, _ in cut(outgoing, source.envelope.size, self._limits):
            source.manifest.check_unchanged()
            yield Parcel(archive, source.envelope, source.options, source.origin, tuple(images))

    def _limits(self) -> BatchLimits:  # asked each time: a target may have learned smaller ones
        return self.account.target.limits.at_most(self.options.batch_size)

    def _to_send(self) -> Iterator[Outgoing]:
        """Rows that are new or changed. Those that were under way at the plan are left alone, even
        when their job was lost meanwhile: the next submit sends them."""
        found, source = self.found, self.source
        names = found.names if source.check.strict else None
        left_alone = {*found.open_ids, *found.alike}
        for each in compare(
            self.account.store, found.archive, source, source.checker(), self.options, names=names
        ):
            if each.verdict.sends and each.outgoing.image.id not in left_alone:
                yield each.outgoing

    def causes(self, run: Run) -> tuple[CauseRow, ...]:
        """Failures of this manifest; of the whole archive where they came from another file; with
        a limit those of this run."""
        if self.options.limit is not None:
            jobs = run.tracker.job_ids
            return joined(*(self.account.store.causes(Filter(job=each)) for each in jobs))
        name = self.source.envelope.system_name
        archive = Filter(target=self.account.target.identity, system_name=name)
        mine = replace(archive, manifest=self.source.origin.path)
        return self.account.store.causes(mine) or self.account.store.causes(archive)

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
