"""SQL of the access tokens of a served engine. Only hashes are stored; see ``server.auth``."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.engine.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One token as it is kept: ``id`` to name it, ``sha256`` of its text as hex digits. Times are
    Unix seconds; ``expires_at`` None means never."""

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None
    revoked_at: float | None = None


class Tokens:
    """The tokens in a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def add(self, token: StoredToken) -> None:
        """Enter a new one; durable when it returns."""
        with self._catalogue.writing() as connection:
            connection.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (
                    token.id,
                    token.name,
                    token.sha256,
                    " ".join(token.scopes),
                    token.created_at,
                    token.expires_at,
                ),
            )

    def all(self) -> Sequence[StoredToken]:
        """All of them, revoked ones too, oldest first."""
        with self._catalogue.reading() as connection:
            rows = connection.execute("SELECT * FROM token ORDER BY created_at, id").fetchall()
        return [_token(row) for row in rows]

    def of_hash(self, sha256: str) -> StoredToken | None:
        """The token whose text has this hash."""
        with self._catalogue.reading() as connection:
            row = connection.execute("SELECT * FROM token WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else _token(row)

    def revoke(self, token_id: str, now: float) -> bool:
        """Refuse a token from now on; False when there is none with this id."""
        with self._catalogue.writing() as connection:
            changed = connection.execute(
                "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?",
                (now, token_id),
            ).rowcount
        return changed == 1


def _token(row: sqlite3.Row) -> StoredToken:
    return StoredToken(
        row["id"],
        row["name"],
        row["sha256"],
        tuple(row["scopes"].split()),
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
    )
