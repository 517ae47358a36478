"""Send the failed images again, as they were sent before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby

from ldimport.migration import ledger, results
from ldimport.migration.batch import Envelope, Outgoing, cut, with_options
from ldimport.migration.events import Event, Summary, Totals
from ldimport.migration.ledger import Origin
from ldimport.migration.results import Filter
from ldimport.migration.run import Pace, Parcel, Run
from ldimport.migration.state import StateFile
from ldimport.model import Integrity, JobOptions
from ldimport.targets.base import Target

_Kept = tuple[Outgoing, JobOptions, Origin]


def retry(
    state: StateFile,
    target: Target,
    *,
    job: str | None = None,
    cause: str | None = None,
    system_name: str | None = None,
    allow_hosts: tuple[str, ...] | None = None,
    integrity: Integrity | None = None,
    pace: Pace | None = None,
) -> Iterator[Event]:
    """Send failed images again: all of this target, or those of one job or cause.

    The engine treats them as the job they come from did, but for ``allow_hosts`` and
    ``integrity`` where given. Yields what happens and a Summary last, whose totals are those of
    the images sent.
    """
    started = time.monotonic()
    run = Run(state, target, pace or Pace())
    names = [system_name] if system_name else ledger.system_names(state, target.identity)
    chosen: list[tuple[int, str, list[_Kept]]] = []
    for name in names:
        scope = ledger.scope_id(state, target.identity, target.label, name)
        if scope is not None:
            chosen.append((scope, name, list(ledger.failed_images(state, scope, job, cause))))
    to_send = sum(len(images) for _, _, images in chosen)
    again = _parcels(chosen, target, allow_hosts, integrity)
    yield from run.carry_out(again, to_send)
    left = results.causes(state, Filter(target=target.identity, system_name=system_name))
    yield Summary(
        None,
        tuple(results.jobs(state, ids=run.tracker.job_ids)),
        _totals(run, to_send),
        time.monotonic() - started,
        run.exit_code(failures=bool(left)),
        left,
        run.stopped,
    )


def _parcels(
    chosen: list[tuple[int, str, list[_Kept]]],
    target: Target,
    allow_hosts: tuple[str, ...] | None,
    integrity: Integrity | None,
) -> Iterator[Parcel]:
    for scope, name, kept in chosen:
        envelope = Envelope(name)
        for (recorded, origin), group in groupby(kept, key=lambda each: each[1:]):
            options = with_options(recorded, allow_hosts, integrity)
            outgoing = (each for each, _, _ in group)
            for images, _ in cut(outgoing, envelope.size, lambda: target.limits):
                yield Parcel(scope, envelope, options, origin, tuple(images))


def _totals(run: Run, to_send: int) -> Totals:
    return run.tracker.tally.totals(
        pending=run.tracker.pending, unsubmitted=max(0, to_send - run.sent)
    )
