"""SQL of the outbox: notifications of ended jobs, until they are delivered or given up. Functions
that write want a connection inside ``Catalogue.writing``."""

import sqlite3
from collections.abc import Sequence

from ldimport import wire
from ldimport.database_rows import made
from ldimport.engine.records import Delivery, DeliveryOutcome, Notification, OutboxEntry
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.schema import SQL
from ldimport.url import origin_of

FARTHEST = 2 * 86_400.0
"""No next try lies farther ahead, in seconds; one that seems to was set before the clock of this
machine went back."""


def put(connection: sqlite3.Connection, job: sqlite3.Row, body: str, now: float) -> None:
    """Put down the notification of a job, in the transaction in which the job ends."""
    url = job["webhook"]
    row = (f"msg_{job['id']}", job["n"], url, origin_of(url), body, now, now)
    sql = "INSERT INTO webhook (id, job, url, endpoint, body, due_at, created_at) VALUES "
    connection.execute(sql + "(?, ?, ?, ?, ?, ?, ?)", row)


def any_due(catalogue: Catalogue, now: float) -> bool:
    """Whether something may be sent now."""
    sql = f"SELECT 1 FROM webhook WHERE {SQL['due']} LIMIT 1"  # noqa: S608
    return bool(catalogue.rows(sql, now, now + FARTHEST))


def claim(connection: sqlite3.Connection, worker: int, most: int, now: float) -> list[Notification]:
    """Lease up to ``most`` that are due, and count the try."""
    rows = connection.execute(SQL["claim"], (now, now + FARTHEST, most, worker)).fetchall()
    sql = "UPDATE webhook SET worker = ?, tries = tries + 1 WHERE id = ?"
    connection.executemany(sql, ((worker, row["id"]) for row in rows))
    return [made(Notification, row, options=wire.options_from_json(row["options"])) for row in rows]


def settle(connection: sqlite3.Connection, outcome: DeliveryOutcome, now: float) -> None:
    """Record what a try came to; a late writer, whose lease was voided, is fenced off."""
    of, state = outcome.notification, outcome.state
    ended_at = None if state is Delivery.WAITING else now
    row = (state, outcome.due_at, outcome.answer, ended_at, of.id, of.worker)
    recorded = connection.execute(SQL["settle"], row).rowcount
    if recorded and outcome.slow_until is not None:
        connection.execute(SQL["slow_down"], (outcome.slow_until, of.endpoint))
    if recorded and state is Delivery.DISABLED:
        connection.execute(SQL["disable"], (now, outcome.answer, of.url))


def entries(
    catalogue: Catalogue, state: Delivery | None, job: str | None, most: int
) -> Sequence[OutboxEntry]:
    """What the outbox has, newest first."""
    rows = catalogue.rows(SQL["outbox"], state, job, most or -1)
    return [
        made(OutboxEntry, row, state=Delivery(row["state"]), under_way=bool(row["under_way"]))
        for row in rows
    ]


def send_again(connection: sqlite3.Connection, ids: Sequence[str], now: float) -> Sequence[str]:
    """Make these due; the unknown ones, and then nothing has changed."""
    find = "SELECT w.id FROM webhook w JOIN job j ON j.n = w.job WHERE ?1 IN (w.id, j.id)"
    found = {each: connection.execute(find, (each,)).fetchone() for each in ids}
    if unknown := [each for each, row in found.items() if row is None]:
        return unknown
    connection.executemany(SQL["send_again"], ((now, row["id"]) for row in found.values()))
    return ()
