"""Send the failed images again, as they were sent before."""

from collections.abc import Iterator
from itertools import groupby

from ldimport.migration.account import Account, RetryOptions
from ldimport.migration.batch import Envelope, Parcel, cut
from ldimport.migration.events import Event, Left, RetryPlanned
from ldimport.migration.model import Failed, Filter, RetryGroup
from ldimport.migration.run import Run


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
    yield from run.carry_out(_parcels(archives, which, account, options), to_send)
    left = store.causes(Filter(target=target.identity, system_name=name))
    totals = run.totals(unsubmitted=max(0, to_send - run.sent))
    yield run.summary(totals, left)


def left_of(groups: tuple[RetryGroup, ...]) -> Iterator[Event]:
    for each in groups:
        for images, stuck in ((each.stuck, True), (each.left - each.stuck, False)):
            if images:
                yield Left(each.cause.cause, images, each.cause.text, stuck)


def _parcels(
    archives: dict[str, int], which: Failed, account: Account, options: RetryOptions
) -> Iterator[Parcel]:
    for name, archive in archives.items():
        envelope = Envelope(name)
        kept = account.store.failed_images(archive, which)
        for (recorded, origin), group in groupby(kept, key=lambda each: each[1:]):
            outgoing = (each for each, _, _ in group)
            for images, _ in cut(outgoing, envelope.size, lambda: account.target.limits):
                yield Parcel(archive, envelope, options.over(recorded), origin, tuple(images))
