"""What a submit would do: compare every valid row with what the state file knows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from typing import NamedTuple

from ldimport.errors import UsageError
from ldimport.migration.account import Account, SubmitOptions, Tick
from ldimport.migration.again import Again
from ldimport.migration.batch import Outgoing, changed_fields, cut, unsigned
from ldimport.migration.events import Plan
from ldimport.migration.model import Known, Totals
from ldimport.migration.namesakes import CHUNK, Names, alike
from ldimport.migration.reading import Picked, Reading, ValidRow
from ldimport.migration.source import DEFAULT_SYSTEM_NAME, Source
from ldimport.migration.store import StateStore
from ldimport.migration.validate import Collector, Validation
from ldimport.model import Json, Problem, Status
from ldimport.schema.check import Checked
from ldimport.url import host_of


class Verdict(Enum):
    """What a submit makes of a valid row, by the names of a plan's counts."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"  # unchanged, and its last outcome was a failure: retry may send it
    RETRIED = "retried"  # the same, but its cause is passing and it is time to try again
    WAIVED = "waived"  # unchanged, and somebody accepted its failure
    IN_PROGRESS = "in_progress"

    __hash__ = object.__hash__  # each row is counted

    @property
    def sends(self) -> bool:
        """Whether a submit sends the row."""
        return self in (Verdict.NEW, Verdict.CHANGED, Verdict.RETRIED)


def verdict(
    known: Known | None, fingerprint: bytes, again: Again, *, resend: bool = False
) -> Verdict:
    """Compare one image with what is known of it; ``resend`` ignores that it is unchanged."""
    if known is None:
        return Verdict.NEW
    if known.open:
        same = known.pending == fingerprint
        return Verdict.IN_PROGRESS if same else Verdict.CHANGED
    if known.status is None and known.arrived is None:
        return Verdict.NEW
    edited = known.status is None or known.sent != fingerprint
    if edited or known.not_taken_over or (resend and not known.waived):
        return Verdict.CHANGED
    if known.status is not Status.FAILED:
        return Verdict.UNCHANGED
    if known.waived:
        return Verdict.WAIVED
    return Verdict.RETRIED if again.sends(known) else Verdict.FAILED


class Compared(NamedTuple):
    """A valid row of a reading with its verdict."""

    reading: Reading
    row: ValidRow
    verdict: Verdict
    known: Known | None

    @property
    def outgoing(self) -> Outgoing:
        """Its image."""
        return self.reading.outgoing(self.row)

    def changes(self, names: Iterable[str] = ()) -> list[str]:
        """Of a changed row, which fields changed; ``names`` are the properties there are. Empty
        where it is sent again as it was."""
        known = self.known
        if self.verdict is not Verdict.CHANGED or known is None:
            return []
        if known.not_taken_over:
            return ["not taken over"]
        if known.sent == self.reading.fingerprint(self.row):
            return []
        image = self.outgoing.image
        if known.parts is not None:
            return changed_fields(known.parts, image, names) or ["content of the file"]
        url, name = unsigned(known.source_url or ""), known.file_name or image.file_name
        found = ["url"] if url != unsigned(image.url) else []
        return found + ["fileName"] * (name != image.file_name) or ["metadata"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows of one reading beside what the state file knows of an ``archive``. What is unchanged
    and has arrived is only counted, in ``arrived``. With ``names``, ids that were sent under
    another systemName are told to the ``collector``, and those too that were sent in another case
    or with other zeros; ``strict``: they are left out."""

    store: StateStore
    archive: int | None
    again: Again
    resend: bool = False
    names: Names | None = None
    collector: Collector | None = None
    strict: bool = False
    arrived: Counter[Status] = field(default_factory=Counter)

    def of(self, reading: Reading) -> Iterator[Compared]:
        """Every valid row with its verdict."""
        rows, has_images = iter(reading), self.store.has_images(self.archive)
        while chunk := list(islice(rows, CHUNK)):
            known: Mapping[str, Known] = {}
            if has_images:
                chunk = chunk if self.resend else self._edited(reading, chunk)
                known = self.store.known(self.archive, [row.id for row in chunk])
            odd = self._odd([row for row in chunk if row.id not in known], has_images)
            for row in chunk:
                if problem := odd.get(row.id):
                    if self.collector is not None:
                        self.collector.add_late(problem)
                    if self.strict:
                        continue
                found, word = known.get(row.id), Verdict.NEW
                if found is not None:
                    word = verdict(found, reading.fingerprint(row), self.again, resend=self.resend)
                yield Compared(reading, row, word, found)

    def _edited(self, reading: Reading, chunk: list[ValidRow]) -> list[ValidRow]:
        """Those that are not as they arrived."""
        settled, rest = self.store.settled(self.archive, [row.id for row in chunk]), []
        for row in chunk:
            sent, status = settled.get(row.id, _NEVER)
            if sent is not None and sent == reading.fingerprint(row):
                self.arrived[status] += 1
            else:
                rest.append(row)
        return rest

    def _odd(self, new: list[ValidRow], has_images: bool) -> dict[str, Problem]:
        """By id: what is to be said of those that are not known."""
        if self.names is None or not (has_images or self.names.others):
            return {}
        places = {row.id: row.place for row in new}
        found = alike(self.store, self.archive, places, strict=self.strict)
        return found | self.names.moved(places, strict=self.strict)


_NEVER = (None, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Preview:
    """A row beside the entry that would be sent for it: ``body`` None where it has errors; ``word``
    is its verdict's, or ``invalid``; ``original`` the row as it stands in the manifest."""

    id: str
    row: int
    line: int
    word: str
    body: Json
    original: Mapping[str, Json]
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def preview(
    account: Account, source: Source, options: SubmitOptions, most: int
) -> Iterator[Preview]:
    """The first entries that a submit would send, in the order of the manifest."""
    archive, names = account.archive(source.envelope.system_name), properties_of(source)
    again = options.again(account.clock)
    compared = Comparison(account.store, archive, again, options.resend)
    found = compared.of(Reading(source, source.checker()))
    for each in islice((each for each in found if each.verdict.sends), most):
        yield _preview(each, names)


def preview_of(account: Account, source: Source, what: str) -> Preview | None:
    """The entry with this id, else the one in the row of this number; None when there is none."""
    checker, at_row = source.checker(), None
    wanted = int(what) if what.isascii() and what.isdigit() and len(what) < 10 else None
    for checked in map(checker.check, source.manifest.entries()):
        if checked.entry.id == what:
            return _looked_at(account, source, checked)
        if checked.entry.place.row == wanted:
            at_row = checked
    return None if at_row is None else _looked_at(account, source, at_row)


def _looked_at(account: Account, source: Source, checked: Checked) -> Preview:
    entry, place = checked.entry, checked.entry.place
    if checked.image is None:
        told = (entry.original, (), checked.problems)
        return Preview(entry.id, place.row, place.line, "invalid", None, *told)
    reading = Reading(source, source.checker())
    row = ValidRow(entry.id, place.file, place.row, place.line, source.outgoing(checked), [])
    archive = account.archive(source.envelope.system_name)
    known = account.store.known(archive, [entry.id]).get(entry.id)
    word = verdict(known, reading.fingerprint(row), Again(account.clock.now()))
    found = Compared(reading, row, word, known)
    return replace(_preview(found, properties_of(source)), problems=checked.problems)


def _preview(each: Compared, names: Iterable[str]) -> Preview:
    out = each.outgoing
    head = (out.image.id, out.row, out.line, each.verdict.value)
    return Preview(*head, json.loads(out.body), out.original, tuple(each.changes(names)))


@dataclass(slots=True)
class Survey:
    """One pass over the manifest: the plan, the findings, and what the totals of a run start
    from. ``open_ids`` are rows in open jobs, at most 16 batches of them; ``archive`` is its number
    in the state file; ``picked`` are the rows to send."""

    plan: Plan
    validation: Validation
    arrived: Totals
    open_ids: list[str]
    archive: int | None
    picked: Picked


def survey(
    account: Account, source: Source, options: SubmitOptions, tick: Tick | None = None
) -> Survey:
    """Check every row and compare the valid ones with the state file; nothing is sent. ``tick``
    gets the bytes read so far."""
    name, archive = source.envelope.system_name, account.archive(source.envelope.system_name)
    collector = Collector(source.manifest, options.max_problems)
    checker = source.checker()
    names = Names.of(account.store, account.target.identity, name)
    if problem := names.new_name(source.manifest.name):
        collector.add_late(problem)
    limits = account.target.limits.at_most(options.batch_size)
    tally, picked = _Tally(properties_of(source), options.limit), Picked()
    comparison = Comparison(
        account.store, archive, options.again(account.clock), options.resend,
        names, collector, source.check.strict,
    )  # fmt: skip

    def to_send() -> Iterator[_Weight]:
        reading = Reading(source, checker, collector, tick)
        for each in comparison.of(reading):
            if each.known is not None:
                _same_archive(source, each)
            if tally.add(each):
                url, size = reading.weigh(each.row)
                tally.hosts[host_of(url)] += 1
                picked.add(reading, each.row, size)
                yield _Weight(size)

    sizes = [size for _, size in cut(to_send(), source.envelope.size, lambda: limits)]
    tally.verdicts[Verdict.UNCHANGED] += comparison.arrived.total()
    tally.outcomes += comparison.arrived
    source.manifest.check_unchanged()
    validation = collector.finish(checker)
    plan = replace(_plan(source, account.target.label, tally, sizes, validation), limit=tally.most)
    outcomes = {status.value: tally.outcomes[status] for status in Status}
    arrived = Totals(**outcomes, invalid=validation.invalid, waived=plan.waived)
    return Survey(plan, validation, arrived, tally.open_ids, archive, picked)


class _Weight(NamedTuple):
    """All that a plan has to know of an image that is sent."""

    size: int


@dataclass(slots=True)
class _Tally:
    """What the rows of one pass add up to; ``names`` are the properties of the project; of what is
    to be sent there are at ``most`` so many."""

    names: frozenset[str] = frozenset()
    most: int | None = None
    sent: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    outcomes: Counter[Status] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    open_ids: list[str] = field(default_factory=list)

    def add(self, each: Compared) -> bool:
        """Count a row; whether it is to be sent."""
        self.verdicts[each.verdict] += 1
        if each.verdict.sends:
            self.sent += 1
            if self.most is not None and self.sent > self.most:
                return False
            if each.verdict is Verdict.CHANGED:
                self.fields.update(each.changes(self.names))
            return True
        if each.verdict is Verdict.IN_PROGRESS:
            self.open_ids.append(each.row.id)
        elif each.verdict is not Verdict.WAIVED and each.known and each.known.status:
            self.outcomes[each.known.status] += 1
        return False


def properties_of(source: Source) -> frozenset[str]:
    """The handles of all metadata properties of the project."""
    return frozenset[str]().union(*(each.properties for each in source.config.media_types.values()))


def _plan(
    source: Source, target: str, tally: _Tally, sizes: list[int], validation: Validation
) -> Plan:
    return Plan(
        manifest=source.manifest.name,
        target=target,
        system_name=source.envelope.system_name,
        entries=validation.entries,
        invalid=validation.invalid,
        batches=len(sizes),
        bytes=sum(sizes),
        sources=dict(tally.hosts),
        fields=dict(tally.fields.most_common()),
        **{verdict.value: tally.verdicts[verdict] for verdict in Verdict},
    )


def _same_archive(source: Source, each: Compared) -> None:
    """Two archives under the default name would overwrite each other's images: those that have
    arrived, or may."""
    known = each.known
    if not source.name_is_default or each.verdict is not Verdict.CHANGED or known is None:
        return
    path = known.manifest if known.open or known.arrived is not None else None
    if path and path != source.origin.path:
        raise UsageError(
            f"id “{each.outgoing.image.id}” (row {each.outgoing.row}) was sent before by another "
            f"manifest, {path}, and would be overwritten",
            hint="name this archive: --system-name NAME; without a name every manifest counts as "
            f"the archive “{DEFAULT_SYSTEM_NAME}”",
            code="system-name",
        )
