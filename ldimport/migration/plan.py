"""What a submit would do: compare every valid row with what the state file knows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice

from ldimport.errors import UsageError
from ldimport.migration.account import Account, SubmitOptions, Tick
from ldimport.migration.again import Again
from ldimport.migration.batch import Outgoing, changed_fields, cut, unsigned
from ldimport.migration.events import Plan
from ldimport.migration.model import Known, Totals
from ldimport.migration.source import DEFAULT_SYSTEM_NAME, Source
from ldimport.migration.store import StateStore
from ldimport.migration.validate import Collector, Validation
from ldimport.model import Json, Place, Problem, Severity, Status
from ldimport.schema.check import Checked, Checker
from ldimport.url import host_of, without_secrets

CHUNK = 500
"""Rows looked up in the state file at a time."""


class Verdict(Enum):
    """What a submit makes of a valid row, by the names of a plan's counts."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"  # unchanged, and its last outcome was a failure: retry may send it
    RETRIED = "retried"  # the same, but its cause is passing and it is time to try again
    WAIVED = "waived"  # unchanged, and somebody accepted its failure
    IN_PROGRESS = "in_progress"

    @property
    def sends(self) -> bool:
        """Whether a submit sends the row."""
        return self in (Verdict.NEW, Verdict.CHANGED, Verdict.RETRIED)


def verdict(
    known: Known | None, outgoing: Outgoing, again: Again, *, resend: bool = False
) -> Verdict:
    """Compare one image with what is known of it; ``resend`` ignores that it is unchanged."""
    if known is None:
        return Verdict.NEW
    if known.open:
        same = known.pending == outgoing.fingerprint
        return Verdict.IN_PROGRESS if same else Verdict.CHANGED
    if known.status is None and known.arrived is None:
        return Verdict.NEW
    edited = known.status is None or known.sent != outgoing.fingerprint
    if edited or known.not_taken_over or (resend and not known.waived):
        return Verdict.CHANGED
    if known.status is not Status.FAILED:
        return Verdict.UNCHANGED
    if known.waived:
        return Verdict.WAIVED
    return Verdict.RETRIED if again.sends(known) else Verdict.FAILED


@dataclass(frozen=True, slots=True)
class Compared:
    """A valid row with its verdict."""

    outgoing: Outgoing
    verdict: Verdict
    known: Known | None

    def changes(self, names: Iterable[str] = ()) -> list[str]:
        """Of a changed row, which fields changed; ``names`` are the properties there are. Empty
        where it is sent again as it was."""
        known, image = self.known, self.outgoing.image
        if self.verdict is not Verdict.CHANGED or known is None:
            return []
        if known.not_taken_over:
            return ["not taken over"]
        if known.sent == self.outgoing.fingerprint:
            return []
        if known.parts is not None:
            return changed_fields(known.parts, image, names) or ["content of the file"]
        url, name = unsigned(known.source_url or ""), known.file_name or image.file_name
        found = ["url"] if url != unsigned(image.url) else []
        return found + ["fileName"] * (name != image.file_name) or ["metadata"]


@dataclass(frozen=True, slots=True)
class Names:
    """``(systemName, id)`` is an image for ever, so another name for the same archive would import
    all of it once more. The names under which a target got images: ``own`` is the one in question,
    ``others`` have images, the one with the most first, each with how many."""

    store: StateStore
    target: str
    own: str
    own_images: int
    others: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, store: StateStore, target: str, own: str) -> Names:
        """As the state file knows them."""
        images = store.images_by_name(target)
        others = tuple((name, n) for name, n in images.items() if name != own and n)
        return cls(store, target, own, images.get(own, 0), others)

    def new_name(self, manifest: str) -> Problem | None:
        """A warning where the name was never used, and another one always was."""
        if self.own_images or not self.others:
            return None
        name, images = self.others[0]
        return Problem(
            Severity.WARNING,
            "new-system-name",
            Place(manifest),
            "systemName",
            f"systemName “{self.own}” is new here; so far it was “{name}” ({images:,} images)",
            f"the same archive under another name arrives twice: --system-name {json.dumps(name)}",
            value=self.own,
        )

    def moved(self, places: Mapping[str, Place], *, strict: bool) -> dict[str, Problem]:
        """By id: what is to be said of those (a few hundred) that were sent under another name.
        Their places need no search."""
        if not self.others or not places:
            return {}
        kind = Severity.ERROR if strict else Severity.WARNING
        hint = "if it means the same image, it would arrive once more: use the same --system-name"
        found = {}
        for id_, name in self.store.elsewhere(self.target, self.own, list(places)).items():
            place = replace(places[id_], column=1)
            shown = without_secrets(id_)
            text = f"id “{shown[:60]}” was sent before under systemName “{name}”"
            found[id_] = Problem(
                kind, "other-system-name", place, "id", text, hint, id_, value=shown[:120]
            )
        return found


def sent_before(account: Account, source: Source) -> tuple[str, str] | None:
    """Where nothing was sent yet under the manifest's systemName: another name that one of its ids
    was sent under, and the id. The manifest is read up to there."""
    names = Names.of(account.store, account.target.identity, source.envelope.system_name)
    entries = source.manifest.entries() if names.others and not names.own_images else iter(())
    while ids := [each.id for each in islice(entries, CHUNK)]:
        found = account.store.elsewhere(names.target, names.own, ids)
        if first := next((each for each in ids if each in found), None):
            return found[first], without_secrets(first)[:60]
    return None


def _alike(
    store: StateStore, archive: int | None, places: Mapping[str, Place], *, strict: bool
) -> dict[str, Problem]:
    """By id: what is to be said of new ones (a few hundred) that the archive probably has."""
    if archive is None or not places:
        return {}
    kind = Severity.ERROR if strict else Severity.WARNING
    hint = "if it means the same image, it would arrive once more: write the id as it was sent"
    found = {}
    for id_, known in store.alike(archive, list(places)).items():
        new, old = without_secrets(id_), without_secrets(known)
        text = f"id “{new[:60]}” is new, and “{old[:60]}” was sent before"
        place = replace(places[id_], column=1)
        found[id_] = Problem(kind, "id-alike", place, "id", text, hint, id_, value=new[:120])
    return found


def compare(
    store: StateStore,
    archive: int | None,
    source: Source,
    checker: Checker,
    options: SubmitOptions,
    again: Again,
    *,
    names: Names | None = None,
    alike: set[str] | None = None,
    collector: Collector | None = None,
    tick: Tick | None = None,
) -> Iterator[Compared]:
    """Every valid row of the manifest with its verdict; ``collector`` sees all rows. With
    ``names``, ids that were sent under another systemName are told, or with ``--strict`` left
    out; with ``alike`` also those that were sent in another case or with other zeros: what is left
    out of these is added to it."""

    def valid() -> Iterator[tuple[Outgoing, Place]]:
        for checked in source.checked(checker, tick):
            if collector is not None:
                collector.add(checked)
            if checked.image is not None:
                yield source.outgoing(checked), checked.entry.place

    rows = valid()
    while chunk := list(islice(rows, CHUNK)):
        known = store.known(archive, [each.image.id for each, _ in chunk])
        new = {each.image.id: place for each, place in chunk if each.image.id not in known}
        strict = source.check.strict
        odd = {} if alike is None else _alike(store, archive, new, strict=strict)
        if alike is not None and strict:
            alike.update(odd)
        odd |= names.moved(new, strict=strict) if names is not None else {}
        for each, _ in chunk:
            found = known.get(each.image.id)
            if problem := odd.get(each.image.id):
                if collector is not None:
                    collector.add_late(problem)
                if strict:
                    continue
            yield Compared(each, verdict(found, each, again, resend=options.resend), found)


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
    found = compare(
        account.store, archive, source, source.checker(), options, options.again(account.clock)
    )
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
    outgoing = source.outgoing(checked)
    archive = account.archive(source.envelope.system_name)
    known = account.store.known(archive, [entry.id]).get(entry.id)
    again = Again(account.clock.now())
    found = Compared(outgoing, verdict(known, outgoing, again), known)
    return replace(_preview(found, properties_of(source)), problems=checked.problems)


def _preview(each: Compared, names: Iterable[str]) -> Preview:
    out = each.outgoing
    head = (out.image.id, out.row, out.line, each.verdict.value)
    return Preview(*head, json.loads(out.body), out.original, tuple(each.changes(names)))


@dataclass(slots=True)
class Survey:
    """One pass over the manifest: the plan, the findings, and what the totals of a run start
    from. ``open_ids`` are rows in open jobs, at most 16 batches of them; ``archive`` is its number
    in the state file; ``alike`` are ids that ``--strict`` leaves out; ``again`` decided which
    failed images are sent again."""

    plan: Plan
    validation: Validation
    arrived: Totals
    open_ids: list[str]
    archive: int | None
    names: Names
    alike: set[str]
    again: Again


def survey(
    account: Account, source: Source, options: SubmitOptions, tick: Tick | None = None
) -> Survey:
    """Check every row and compare the valid ones with the state file; nothing is sent. ``tick``
    gets the bytes read so far."""
    store, target, name = account.store, account.target, source.envelope.system_name
    archive = account.archive(name)
    collector = Collector(source.manifest, options.max_problems)
    checker = source.checker()
    names = Names.of(store, target.identity, name)
    if problem := names.new_name(source.manifest.name):
        collector.add_late(problem)
    limits = target.limits.at_most(options.batch_size)
    tally, most = _Tally(properties_of(source)), options.limit
    alike: set[str] = set()
    again = options.again(account.clock)

    def to_send() -> Iterator[Outgoing]:
        found = compare(
            store, archive, source, checker, options, again,
            names=names, alike=alike, collector=collector, tick=tick,
        )  # fmt: skip
        for each in found:
            _same_archive(source, each)
            if tally.add(each, most):
                yield each.outgoing

    sizes = [size for _, size in cut(to_send(), source.envelope.size, lambda: limits)]
    source.manifest.check_unchanged()
    validation = collector.finish(checker)
    plan = replace(_plan(source, target.label, tally, sizes, validation), limit=most)
    outcomes = {status.value: tally.outcomes[status] for status in Status}
    arrived = Totals(**outcomes, invalid=validation.invalid, waived=plan.waived)
    return Survey(plan, validation, arrived, tally.open_ids, archive, names, alike, again)


@dataclass(slots=True)
class _Tally:
    """What the rows of one pass add up to; ``names`` are the properties of the project."""

    names: frozenset[str] = frozenset()
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    outcomes: Counter[Status] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    open_ids: list[str] = field(default_factory=list)

    def add(self, each: Compared, most: int | None = None) -> bool:
        """Count a row; whether it is to be sent, of which there are at most so many."""
        self.verdicts[each.verdict] += 1
        if each.verdict.sends:
            sent = sum(n for verdict, n in self.verdicts.items() if verdict.sends)
            if most is not None and sent > most:
                return False
            self.hosts[host_of(each.outgoing.image.url)] += 1
            self.fields.update(each.changes(self.names))
            return True
        if each.verdict is Verdict.IN_PROGRESS:
            self.open_ids.append(each.outgoing.image.id)
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
