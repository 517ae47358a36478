"""The notifications of an engine's folder, for people: which there are, and sent once more."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ldimport.engine.engine import Engine
from ldimport.engine.records import Delivery, OutboxEntry
from ldimport.engine.store import exists
from ldimport.engine.webhooks import Sender
from ldimport.errors import UsageError

PATIENCE = 60.0
"""Seconds that sending once more may take; whoever works on the folder next sends the rest."""
LOOK = 0.1
_GIVEN_UP = (Delivery.FAILED, Delivery.DISABLED)


def notifications(
    folder: Path, states: Sequence[Delivery] = (), job: str | None = None, most: int = 0
) -> Sequence[OutboxEntry]:
    """Those in these states (none named: in any), newest first; none where there is no engine."""
    if not exists(folder):
        return ()
    with Engine(folder) as engine:
        found = [
            each for state in states or (None,) for each in engine.store.outbox(state, job, most)
        ]
    return sorted(found, key=lambda each: each.created_at, reverse=True)[: most or None]


def given_up(folder: Path) -> Sequence[OutboxEntry]:
    """Those that nobody will send any more by himself."""
    return notifications(folder, _GIVEN_UP)


def send_again(
    folder: Path,
    ids: Sequence[str],
    secrets: Sequence[str],
    *,
    patience: float = PATIENCE,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Sequence[OutboxEntry]:
    """Make these notifications due and send them, with what else is due, under the ids they have
    always had; as they are then. Another process that works on the folder may be faster. Raises
    UsageError for an id that is unknown, and then nothing is sent."""
    unknown = ids if not exists(folder) else ()
    if exists(folder):
        with Engine(folder) as engine:
            sender = Sender(engine.store, secrets, now=now)
            unknown = engine.store.send_again(ids, now())
            if not unknown:
                _send(engine, sender, ids, now() + patience, now, sleep)
                return _of(engine, ids)
    hint = "ldimport webhooks list   shows them"
    raise UsageError(f"no notification “{unknown[0]}”", hint=hint, code="unknown-notification")


def _send(
    engine: Engine,
    sender: Sender,
    ids: Sequence[str],
    until: float,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Until each has had its try, or time is up."""
    sender.start()
    try:
        while now() < until and any(
            _is_due(each, now()) for each in _of(engine, ids, Delivery.WAITING)
        ):
            sleep(LOOK)
    finally:
        sender.end(0.0)


def _of(engine: Engine, ids: Sequence[str], state: Delivery | None = None) -> Sequence[OutboxEntry]:
    wanted = frozenset(ids)
    return [each for each in engine.store.outbox(state) if {each.id, each.job} & wanted]


def _is_due(entry: OutboxEntry, now: float) -> bool:
    return entry.under_way or entry.due_at <= now
