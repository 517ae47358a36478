"""The state file's tables and statements, and how older files become new ones."""

import sqlite3

from ldimport.database import DatabaseKind, script, statements
from ldimport.errors import StateFileError
from ldimport.migration.causes import guess

SQL = statements(__package__, "statements.sql")


def _causes_as_codes(connection: sqlite3.Connection) -> None:
    """Attempts get their cause; the causes that were words out of sentences become codes."""
    connection.create_function("guessed", 1, lambda reason: guess(reason).code)
    connection.create_function("may_work_later", 1, lambda reason: guess(reason).retryable)
    connection.execute("ALTER TABLE attempt ADD COLUMN cause TEXT")
    connection.execute("ALTER TABLE attempt ADD COLUMN retryable INTEGER")
    derived = "SET cause = guessed(reason), retryable = may_work_later(reason)"
    for table in ("image", "attempt"):
        connection.execute(f"UPDATE {table} {derived} WHERE status = 'failed'")


def _ids_that_look_alike(connection: sqlite3.Connection) -> None:
    """Images are found by their id without leading zeros, in any case (of ASCII letters)."""
    folded = "ltrim(lower(external_id), '0')"
    connection.execute(f"CREATE INDEX image_alike ON image (scope, {folded})")


def _parts_of_images(connection: sqlite3.Connection) -> None:
    """Short digests of an entry's fields as they were sent last (``batch.parts``)."""
    connection.execute("ALTER TABLE image ADD COLUMN parts BLOB")


KIND = DatabaseKind(
    name="state file",
    application_id=0x6C646D73,  # "ldms"
    migrations=(
        script(__package__, "schema_1.sql"),
        _causes_as_codes,
        _ids_that_look_alike,
        _parts_of_images,
        script(__package__, "schema_5.sql"),
        script(__package__, "schema_6.sql"),
    ),
    way_out="name another one with --state FILE",
)


def damaged(error: Exception) -> StateFileError:
    """A value that was never written."""
    return KIND.error(f"the state file is damaged: {error}", "state-damaged")
