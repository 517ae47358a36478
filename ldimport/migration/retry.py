"""Send the failed images again, as they were sent before."""

from collections.abc import Iterator
from itertools import groupby

from ldimport.migration.account import Account, RetryOptions
from ldimport.migration.batch import Envelope, Origin, Outgoing, Parcel, cut
from ldimport.migration.events import Event
from ldimport.migration.model import Filter
from ldimport.migration.run import Run
from ldimport.model import JobOptions

_Kept = tuple[Outgoing, JobOptions, Origin]


def retry(account: Account, options: RetryOptions) -> Iterator[Event]:
    """Send failed images again: all of this target, or those that ``options`` name. Yields what
    happens and a Summary last, whose totals are those of the images sent."""
    run = Run(account, options)
    store, target, name = account.store, account.target, options.system_name
    chosen: list[tuple[int, str, list[_Kept]]] = []
    for each in [name] if name else store.system_names(target.identity):
        archive = account.archive(each)
        if archive is not None:
            kept = store.failed_images(archive, options.job, options.cause)
            chosen.append((archive, each, list(kept)))
    to_send = sum(len(images) for _, _, images in chosen)
    yield from run.carry_out(_parcels(chosen, account, options), to_send)
    left = store.causes(Filter(target=target.identity, system_name=name))
    totals = run.totals(unsubmitted=max(0, to_send - run.sent))
    yield from run.recorded("retry", run.summary(totals, left))


def _parcels(
    chosen: list[tuple[int, str, list[_Kept]]], account: Account, options: RetryOptions
) -> Iterator[Parcel]:
    for archive, name, kept in chosen:
        envelope = Envelope(name)
        for (recorded, origin), group in groupby(kept, key=lambda each: each[1:]):
            outgoing = (each for each, _, _ in group)
            for images, _ in cut(outgoing, envelope.size, lambda: account.target.limits):
                yield Parcel(archive, envelope, options.over(recorded), origin, tuple(images))
