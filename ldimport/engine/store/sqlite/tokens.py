"""SQL of the access tokens of a served engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from ldimport.engine.records import StoredToken
from ldimport.engine.store.contract import Tokens
from ldimport.engine.store.sqlite.catalogue import Catalogue, insert


class SqliteTokens(Tokens):
    """Tokens in the table ``token``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def add(self, token: StoredToken) -> None:
        with self._catalogue.writing() as connection:
            insert(connection, "token", **asdict(token) | {"scopes": " ".join(token.scopes)})

    def all(self) -> Sequence[StoredToken]:
        return [_token(row) for row in self._catalogue.rows(_ALL + "ORDER BY created_at, id")]

    def of_hash(self, sha256: str) -> StoredToken | None:
        rows = self._catalogue.rows(_ALL + "WHERE sha256 = ?", sha256)
        return _token(rows[0]) if rows else None

    def revoke(self, token_id: str, now: float) -> bool:
        sql = "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
        with self._catalogue.writing() as connection:
            return connection.execute(sql, (now, token_id)).rowcount == 1


_ALL = "SELECT * FROM token "


def _token(row: sqlite3.Row) -> StoredToken:
    return StoredToken(**dict(row) | {"scopes": tuple(row["scopes"].split())})
