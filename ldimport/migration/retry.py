"""Send the failed images again, as they were sent before."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from ldimport.migration.account import Account, RetryOptions
from ldimport.migration.batch import Envelope, Outgoing, Parcel, cut
from ldimport.migration.canary import Checkpoint, Probes
from ldimport.migration.events import Event, Left, RetryPlanned
from ldimport.migration.hosts import RECENT, Breaker
from ldimport.migration.model import Failed, Filter, RetryGroup
from ldimport.migration.run import Run
from ldimport.url import host_of


def retry(account: Account, options: RetryOptions) -> Iterator[Event]:
    """Send failed images again: those of this target that may work without a change, or those that
    ``options`` name. Yields which are sent and which are left, what happens, and a Summary last,
    whose totals are those of the images sent."""
    run = Run(account, options)
    store, target, name = account.store, account.target, options.system_name
    which = options.which(account.clock.now())
    names = [name] if name else store.system_names(target.identity)
    archives = {each: number for each in names if (number := account.archive(each)) is not None}
    groups = tuple(each for number in archives.values() for each in store.split(number, which))
    to_send = sum(each.sent for each in groups)
    yield RetryPlanned(groups)
    yield from left_of(groups)
    sending = (_Repeat(account, options, which, *each) for each in archives.items())
    parcels = chain.from_iterable(each.parcels(run.tracker.breaker) for each in sending)
    yield from run.carry_out(parcels, to_send)
    left = store.causes(Filter(target=target.identity, system_name=name))
    totals = run.totals(unsubmitted=max(0, to_send - run.sent))
    yield from run.recorded("retry", run.summary(totals, left))


def left_of(groups: tuple[RetryGroup, ...]) -> Iterator[Event]:
    for each in groups:
        for images, stuck in ((each.stuck, True), (each.left - each.stuck, False)):
            if images:
                yield Left(each.cause.cause, images, each.cause.text, stuck)


@dataclass(frozen=True, slots=True)
class _Repeat:
    """The failed images of one archive that are sent again."""

    account: Account
    options: RetryOptions
    which: Failed
    name: str
    archive: int

    def parcels(self, breaker: Breaker) -> Iterator[Parcel | Checkpoint]:
        """All of them, in batches; where neither images nor a host are named, first a few of hosts
        that failed over and over before."""
        first: set[str] = set()
        if self.which.ids is not None or self.which.host is not None:
            yield from self._batches(first, lambda _: True)
            return
        since = self.account.clock.now() - RECENT
        if hosts := self.account.store.failing_hosts(self.archive, since):
            probes = Probes(hosts, breaker)
            for parcel in self._batches(frozenset(), probes.wants):
                first.update(each.image.id for each in parcel.images)
                yield parcel
            yield probes.checkpoint()
        yield from self._batches(first, lambda each: breaker.lets(host_of(each.image.url)))

    def _batches(self, but: Container[str], wanted: Callable[[Outgoing], bool]) -> Iterator[Parcel]:
        envelope, target = Envelope(self.name), self.account.target
        kept = self.account.store.failed_images(self.archive, self.which)
        for (recorded, origin), group in groupby(kept, key=lambda each: each[1:]):
            rest = (each for each, _, _ in group if each.image.id not in but)
            options = self.options.over(recorded)
            for images, _ in cut(filter(wanted, rest), envelope.size, lambda: target.limits):
                yield Parcel(self.archive, envelope, options, origin, tuple(images))
