"""What a submit would do: compare every valid row with what the state file knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice

from ldimport.errors import UsageError
from ldimport.migration.batch import Outgoing
from ldimport.migration.events import Plan
from ldimport.migration.identity import Names
from ldimport.migration.model import Known, Totals
from ldimport.migration.options import SubmitOptions
from ldimport.migration.source import DEFAULT_SYSTEM_NAME, Source
from ldimport.migration.store import StateStore
from ldimport.migration.validate import Collector, Validation
from ldimport.model import MAX_BATCH_IMAGES, Place, Problem, Status
from ldimport.schema.check import Checker
from ldimport.targets.base import BatchLimits, Target
from ldimport.url import host_of

CHUNK = 500
"""Rows looked up in the state file at a time."""


class Verdict(Enum):
    """What a submit makes of a valid row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"  # unchanged, and its last outcome was a failure: retry sends it
    IN_PROGRESS = "inProgress"

    @property
    def sends(self) -> bool:
        """Whether a submit sends the row."""
        return self in (Verdict.NEW, Verdict.CHANGED)


def verdict(known: Known | None, outgoing: Outgoing, *, resend: bool = False) -> Verdict:
    """Compare one image with what is known of it; ``resend`` ignores that it is unchanged."""
    if known is None:
        return Verdict.NEW
    if known.open:
        same = known.pending == outgoing.fingerprint
        return Verdict.IN_PROGRESS if same else Verdict.CHANGED
    if known.status is None and known.arrived is None:
        return Verdict.NEW
    if known.status is None or known.sent != outgoing.fingerprint or known.not_taken_over:
        return Verdict.CHANGED
    if resend:
        return Verdict.CHANGED
    return Verdict.FAILED if known.status is Status.FAILED else Verdict.UNCHANGED


@dataclass(frozen=True, slots=True)
class Compared:
    """A valid row with its verdict."""

    outgoing: Outgoing
    verdict: Verdict
    known: Known | None

    @property
    def overwrites(self) -> bool:
        """Whether something else would take the place of an image that has arrived, or may."""
        known = self.known
        here = known is not None and (known.open or known.arrived is not None)
        return here and self.verdict is Verdict.CHANGED


def compare(
    store: StateStore,
    archive: int | None,
    source: Source,
    checker: Checker,
    *,
    resend: bool = False,
    names: Names | None = None,
    collector: Collector | None = None,
    tick: Callable[[int], None] | None = None,
) -> Iterator[Compared]:
    """Every valid row of the manifest with its verdict; ``collector`` sees all rows. With
    ``names``, ids that were sent under another systemName are told, or with ``--strict`` left
    out."""

    def valid() -> Iterator[tuple[Outgoing, Place]]:
        for checked in source.checked(checker, tick):
            if collector is not None:
                collector.add(checked)
            if checked.image is not None:
                yield source.outgoing(checked), checked.entry.place

    rows = valid()
    while chunk := list(islice(rows, CHUNK)):
        known = store.known(archive, [each.image.id for each, _ in chunk])
        moved = _moved(store, names, chunk, known, strict=source.check.strict)
        for each, _ in chunk:
            found = known.get(each.image.id)
            if problem := moved.get(each.image.id):
                if collector is not None:
                    collector.add_late(problem)
                if source.check.strict:
                    continue
            yield Compared(each, verdict(found, each, resend=resend), found)


def _moved(
    store: StateStore,
    names: Names | None,
    chunk: list[tuple[Outgoing, Place]],
    known: dict[str, Known],
    *,
    strict: bool,
) -> dict[str, Problem]:
    """By id: what is to be said of images that are new under this name, but not under another."""
    if names is None or not names.others:
        return {}
    places = {each.image.id: place for each, place in chunk if each.image.id not in known}
    found = names.elsewhere(store, list(places))
    return {id_: names.moved(id_, at, places[id_], strict=strict) for id_, at in found.items()}


@dataclass(slots=True)
class _Meter:
    """How many batches, and bytes, the images would make."""

    envelope: int
    limits: BatchLimits
    batches: int = 0
    bytes: int = 0
    _images: int = MAX_BATCH_IMAGES
    _size: int = 0

    def add(self, outgoing: Outgoing) -> None:
        full = self._size + outgoing.size > self.limits.bytes
        if self._images >= self.limits.images or full:
            self.batches += 1
            self.bytes += self.envelope
            self._images, self._size = 0, self.envelope
        self._images += 1
        self._size += outgoing.size
        self.bytes += outgoing.size


@dataclass(slots=True)
class Survey:
    """One pass over the manifest: the plan, the findings, and what the totals of a run start
    from. ``open_ids`` are rows in open jobs, at most 16 batches of them."""

    plan: Plan
    validation: Validation
    arrived: Totals
    open_ids: list[str] = field(default_factory=list)


def survey(
    store: StateStore,
    target: Target,
    source: Source,
    options: SubmitOptions,
    tick: Callable[[int], None] | None = None,
) -> Survey:
    """Check every row and compare the valid ones with the state file; nothing is sent. ``tick``
    gets the bytes read so far."""
    name = source.envelope.system_name
    archive = store.archive(target.identity, target.label, name)
    collector = Collector(source.manifest, max_problems=options.max_problems)
    checker = source.checker()
    names = Names.of(store, target.identity, name)
    if problem := names.new_name(source.manifest.name):
        collector.add_late(problem)
    limits = target.limits.at_most(options.batch_size)
    tally = _Tally(_Meter(source.envelope.size, limits))
    for each in compare(
        store,
        archive,
        source,
        checker,
        resend=options.resend,
        names=names,
        collector=collector,
        tick=tick,
    ):
        tally.add(each)
        if source.name_is_default and each.overwrites:
            _same_archive(store, source, each)
    source.manifest.check_unchanged()
    return tally.survey(source, target.label, collector.finish(checker))


@dataclass(slots=True)
class _Tally:
    """What the rows of one pass add up to."""

    meter: _Meter
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    outcomes: Counter[Status] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    open_ids: list[str] = field(default_factory=list)

    def add(self, each: Compared) -> None:
        self.verdicts[each.verdict] += 1
        if each.verdict.sends:
            self.meter.add(each.outgoing)
            self.hosts[host_of(each.outgoing.image.url)] += 1
        elif each.verdict is Verdict.IN_PROGRESS:
            self.open_ids.append(each.outgoing.image.id)
        elif each.known is not None and each.known.status is not None:
            self.outcomes[each.known.status] += 1

    def survey(self, source: Source, target: str, validation: Validation) -> Survey:
        verdicts, outcomes = self.verdicts, self.outcomes
        plan = Plan(
            manifest=source.manifest.name,
            target=target,
            system_name=source.envelope.system_name,
            entries=validation.entries,
            new=verdicts[Verdict.NEW],
            changed=verdicts[Verdict.CHANGED],
            unchanged=verdicts[Verdict.UNCHANGED],
            failed=verdicts[Verdict.FAILED],
            in_progress=verdicts[Verdict.IN_PROGRESS],
            invalid=validation.invalid,
            batches=self.meter.batches,
            bytes=self.meter.bytes,
            sources=dict(self.hosts),
        )
        arrived = Totals(
            outcomes[Status.SUCCESS],
            outcomes[Status.SKIPPED],
            outcomes[Status.FAILED],
            invalid=validation.invalid,
        )
        return Survey(plan, validation, arrived, self.open_ids)


def _same_archive(store: StateStore, source: Source, each: Compared) -> None:
    """Two archives under the default name would overwrite each other's images."""
    batch = each.known.last_batch if each.known is not None else None
    if batch is None:
        return
    path = store.manifest_path(batch)
    if path and path != source.origin.path:
        raise UsageError(
            f"id “{each.outgoing.image.id}” (row {each.outgoing.row}) was sent before by another "
            f"manifest, {path}, and would be overwritten",
            hint="name this archive: --system-name NAME; without a name every manifest counts as "
            f"the archive “{DEFAULT_SYSTEM_NAME}”",
            code="system-name",
        )
