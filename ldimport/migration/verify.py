"""Look every image, or some at random, up at the target by its identity, and compare: a proof that
does not rest on what jobs have told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

from ldimport.errors import LdimportError, Rejected
from ldimport.migration.account import Account
from ldimport.migration.compare import Properties, differences
from ldimport.migration.pace import Asking
from ldimport.migration.pictures import Pictures
from ldimport.migration.proof import (
    Begun,
    Differences,
    Expected,
    Look,
    Proof,
    ProofSums,
    Verified,
    VerifyProgress,
)
from ldimport.migration.store.verifying import differences_of

PAGE = 1_000
"""Ids that are read at once."""
STORED_AFTER = 25
STORED_SECONDS = 2.0
"""Looks are written down after so many, or so long: a killed run asks no more than these again."""
MOST_FINDINGS = 1_000

VerifyEvent = VerifyProgress | Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """``sample``: so many at random of each archive, by ``seed`` the same again; ``pictures``: the
    bytes too; ``rate``: requests a second at most (0: no limit; None: as the
    target says); ``restart``: do not go on with what was interrupted; ``mark_missing``: only
    those not found last, and those that still are not count as not sent. ``allow_hosts`` may be
    fetched from, pictures alone."""

    sample: int | None = None
    seed: int | None = None
    pictures: bool = False
    rate: float | None = None
    restart: bool = False
    mark_missing: bool = False
    allow_hosts: tuple[str, ...] = ()
    ca_file: str | None = None


def verify(
    account: Account, names: Sequence[str], options: VerifyOptions, properties: Properties
) -> Iterator[VerifyEvent]:
    """Verify archives of the target. Yields progress, and what was found last. What stops it
    (KeyboardInterrupt too) is kept in ``Verified.stopped``; the same again goes on there."""
    run = _Verification(account, names, options, properties)
    with ExitStack() as stack:
        if options.pictures:
            web = options.sample is not None
            pictures = Pictures(account.target, options.allow_hosts, run.ask, web_sources=web,
                                ca_file=options.ca_file)  # fmt: skip
            run.pictures = stack.enter_context(pictures)
        try:
            yield from run.carry_out()
        except (LdimportError, KeyboardInterrupt) as error:
            run.stopped = error
    yield run.verified()


@dataclass
class _Archive:
    """One archive of a verification."""

    number: int
    name: str
    images: int
    begun: Begun

    @property
    def whole(self) -> int:
        """How many are to be looked up."""
        wanted = self.begun.sample
        return self.images if wanted is None else min(wanted, self.images)


@dataclass
class _Verification:
    account: Account
    names: Sequence[str]
    options: VerifyOptions
    properties: Properties
    pictures: Pictures | None = None
    stopped: BaseException | None = None
    parts: list[_Archive] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    marked: int = 0

    def __post_init__(self) -> None:
        account, rate = self.account, self.options.rate
        least = account.target.requests_per_second
        self.ask = Asking(account.clock, least if rate is None else rate)
        self._began, self._since = self.account.clock.monotonic(), self.account.clock.now()

    def carry_out(self) -> Iterator[VerifyProgress]:
        """Every archive, one after the other; how many they have is known first."""
        store = self.account.store
        for name in self.names:
            number = self.account.archive(name)
            if number is not None:
                count = store.expected_count(number, missing=self.options.mark_missing)
                self.parts.append(_Archive(number, name, count, self._begin(number)))
        yield self._progress()
        for part in self.parts:
            yield from self._archive(part)

    def _begin(self, archive: int) -> Begun:
        """The verification to go on with, or a new one."""
        store, options = self.account.store, self.options
        last = store.begun(archive)
        if last is not None and (options.mark_missing or self._is_the_same(last)):
            return last
        seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
        begun = Begun((last.round if last else 0) + 1, options.sample, seed, options.pictures)
        if not options.mark_missing:
            store.begin(archive, begun)
        return begun

    def _is_the_same(self, last: Begun) -> bool:
        """Whether the last one did not come to its end, and is what is wanted."""
        options = self.options
        alike = (last.sample, last.pictures) == (options.sample, options.pictures)
        goes_on = not (last.ended or options.restart)
        return goes_on and alike and options.seed in (None, last.seed)

    def _archive(self, part: _Archive) -> Iterator[VerifyProgress]:
        store, clock = self.account.store, self.account.clock
        looks: list[Look] = []
        saved = clock.monotonic()

        def save() -> None:
            if looks:
                mark = self.options.mark_missing
                self.marked += store.looked(part.number, part.begun.round, looks, mark=mark)
                looks.clear()

        try:
            for expected in self._chosen(part):
                if not self._is_known(part, expected):
                    looks += self._look(part, expected)
                if len(looks) >= STORED_AFTER or clock.monotonic() - saved > STORED_SECONDS:
                    save()
                    saved = clock.monotonic()
                yield self._progress()
        finally:
            save()
        if not (self.counts["unchecked"] or self.options.mark_missing):
            store.finish(part.number)

    def _chosen(self, part: _Archive) -> Iterator[Expected]:
        """The images to look up: all, or as many as wanted in one pass, each as likely as any other
        (Knuth, The Art of Computer Programming 3.4.2, algorithm S)."""
        store, missing = self.account.store, self.options.mark_missing
        left, wanted, after = part.images, part.whole, ""
        chance = random.Random(part.begun.seed)  # noqa: S311  it is told, to choose the same again
        while wanted and (ids := store.expected_ids(part.number, after, PAGE, missing=missing)):
            after, picked = ids[-1], []
            for each in ids:
                if left * chance.random() < wanted:
                    picked.append(each)
                    wanted -= 1
                left = max(left - 1, 1)
            for n in range(0, len(picked), STORED_AFTER):  # as they are by then
                yield from store.expected(part.number, picked[n : n + STORED_AFTER])

    def _is_known(self, part: _Archive, expected: Expected) -> bool:
        """Whether this verification looked the image up before it was interrupted, and nothing was
        sent of it since."""
        at, outcome = expected.verified_at, expected.outcome
        if at is None or outcome is None or self.options.mark_missing:
            return False
        if expected.round != part.begun.round or at < (expected.changed_at or 0.0):
            return False
        self.resumed += 1
        self._counted(Look(expected.external_id, at, outcome, differences_of(expected.differences)))
        return True

    def _look(self, part: _Archive, expected: Expected) -> list[Look]:
        """Ask the library; nothing: its picture could not be had for now."""
        target, now = self.account.target, self.account.clock.now
        found = self.ask(lambda: target.find(part.name, expected.external_id))
        if found is None:
            return self._counted(Look(expected.external_id, now(), Proof.MISSING, {}))
        told: Differences = differences(expected, found, self.properties)
        if self.pictures is not None:
            try:
                compared = self.pictures.compare(expected, found)
            except Rejected:
                self.counts["unchecked"] += 1
                return []
            self.counts["by_hash" if compared.by_hash else "by_size"] += 1
            told = {**told, **({"picture": compared.differs} if compared.differs else {})}
        outcome = Proof.DIFFERS if told else Proof.SAME
        size = expected.size if "size" in told else found.size  # till somebody looks into it
        return self._counted(
            Look(expected.external_id, now(), outcome, told, found.media_id, size,
                 found.created_at, target.clock_ahead())
        )  # fmt: skip

    def _counted(self, look: Look) -> list[Look]:
        self.counts[look.outcome.value] += 1
        self.fields.update(list(look.differences))
        return [look]

    def _progress(self) -> VerifyProgress:
        done = sum(self.counts[each.value] for each in Proof) + self.counts["unchecked"]
        return VerifyProgress(done, sum(part.whole for part in self.parts), self.resumed)

    def verified(self) -> Verified:
        """How it ended."""
        sums = ProofSums(**self.counts)
        options, parts, store = self.options, self.parts, self.account.store
        since = self._since if options.mark_missing else 0.0
        places = tuple((part.number, part.begun.round, since) for part in parts)
        every = (each for place in places for each in store.findings(*place))
        return Verified(
            self.account.target.label,
            tuple(self.names),
            sum(part.images for part in parts),
            sum(part.whole for part in parts),
            options.sample,
            parts[0].begun.seed if parts and options.sample is not None else None,
            options.pictures,
            sums,
            dict(self.fields.most_common()),
            tuple(islice(every, MOST_FINDINGS)),
            self.account.clock.monotonic() - self._began,
            self.resumed,
            self.marked,
            places,
            self.stopped,
        )
