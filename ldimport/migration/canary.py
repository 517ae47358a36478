"""A few images first, before all the others: some of the whole manifest, and some of hosts that
failed over and over before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ldimport.migration.account import Account, RunOptions
from ldimport.migration.batch import Outgoing
from ldimport.migration.events import CanaryEnded, Event
from ldimport.migration.hosts import PORTION, Breaker
from ldimport.migration.limits import FailureLimit, too_many
from ldimport.url import host_of

DEFAULT_LIMIT = FailureLimit.of("10%")
"""What a canary bears where nobody says."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Stands between two parcels of a run: what was sent before it has to end. ``judge`` gets the
    numbers of those batches, and raises where the run must not go on."""

    judge: Callable[[Sequence[int]], Iterator[Event]]


def spread(images: Iterable[Outgoing], whole: int, many: int) -> Iterator[Outgoing]:
    """So many of ``images``, of which there are ``whole``, evenly over all of them."""
    taken = 0
    for n, each in enumerate(images):
        if taken < many and n >= (2 * taken + 1) * whole // (2 * many):
            taken += 1
            yield each


def canary(account: Account, archive: int, options: RunOptions) -> Checkpoint:
    """Goes on where few of the first images failed. Those of a job that failed as a whole, or was
    lost, count as failed."""
    limit = options.max_failures or DEFAULT_LIMIT

    def judge(batches: Sequence[int]) -> Iterator[Event]:
        sums = account.store.batch_outcomes(archive, batches)
        failed = sums.failed + sums.unsubmitted
        causes = account.store.causes_of(batches=batches)
        stops = limit.reached(failed, sums.rows, whole=True)
        yield CanaryEnded(sums, causes, limit.text, not stops)
        if stops:
            raise too_many("stopped after the canary", failed, sums.rows, limit, causes)

    return Checkpoint(judge)


class Probes:
    """A few images of hosts that failed over and over before, by which to find out how they are
    now. ``hosts``: about how many of each there are, so that these are spread over them."""

    def __init__(self, hosts: Mapping[str, int], breaker: Breaker) -> None:
        self._hosts, self._breaker = hosts, breaker
        self._met: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()

    def wants(self, image: Outgoing) -> bool:
        """Whether this one, the next of all that are to be sent, is one of them."""
        host = host_of(image.image.url)
        whole, taken = self._hosts.get(host, 0), self._sent[host]
        if not whole or taken == PORTION:
            return False
        self._met[host] += 1
        chosen = self._met[host] > (2 * taken + 1) * whole // (2 * PORTION)
        self._sent[host] += chosen
        return chosen

    def checkpoint(self) -> Checkpoint:
        """Waits for them, and holds back the hosts that still fail."""
        return Checkpoint(lambda _: self._breaker.probed(self._sent))
