"""SQL of the media library: entries and their stored originals. Functions that take a connection
want one inside ``Catalogue.writing``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

from ldimport.engine import addresses
from ldimport.engine.records import ImportOutcome, KnownMedia, MediaEntry, NewBytes, StoredAsset
from ldimport.engine.store.sqlite.catalogue import Catalogue, insert
from ldimport.model import Facts

_ENTRY = """
SELECT m.*, a.media, a.key, a.mime_type, a.width, a.height, a.size, a.sha256, m.title AS file_name
  FROM media m JOIN asset a ON a.id = m.asset WHERE
"""
_ASSET = [field.name for field in fields(StoredAsset)]
_MEDIA = [field.name for field in fields(MediaEntry)]


class SqliteLibrary:
    """Implements ``contract.Library``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def find(self, system_name: str, external_id: str) -> MediaEntry | None:
        """See ``Library``."""
        return self._entry("m.system_name = ? AND m.external_id = ?", system_name, external_id)

    def get(self, media_id: str) -> MediaEntry | None:
        """See ``Library``."""
        return self._entry("m.id = ?", media_id)

    def _entry(self, where: str, *values: str) -> MediaEntry | None:
        with self._catalogue.reading() as connection:
            return _entry(connection, where, *values)

    def original(self, key: str) -> StoredAsset | None:
        """See ``Library``."""
        sql = """SELECT a.*, m.title AS file_name FROM asset a JOIN media m ON m.id = a.media
                  WHERE a.key = ?"""
        with self._catalogue.reading() as connection:
            row = connection.execute(sql, (key,)).fetchone()
        return None if row is None else _stored(row)

    def change(
        self, media_id: str, edit: Callable[[MediaEntry], MediaEntry]
    ) -> MediaEntry | None:  # fmt: skip
        """See ``Library``."""
        with self._catalogue.writing() as connection:
            entry = _entry(connection, "m.id = ?", media_id)
            if entry is None:
                return None
            new = edit(entry)
            connection.execute(
                "UPDATE media SET metadata = ?, version = version + 1, updated_at = ? WHERE id = ?",
                (json.dumps(dict(new.metadata)), new.updated_at, media_id),
            )
            return _entry(connection, "m.id = ?", media_id)

    def holdings(self) -> tuple[int, int]:
        """See ``Library``."""
        sql = "SELECT (SELECT count(*) FROM media), (SELECT coalesce(sum(size), 0) FROM asset)"
        with self._catalogue.reading() as connection:
            entries, size = connection.execute(sql).fetchone()
        return entries, size

    def blobs(self) -> Sequence[tuple[str, int]]:
        """See ``Library``."""
        with self._catalogue.reading() as connection:
            rows = connection.execute("SELECT DISTINCT sha256, size FROM asset").fetchall()
        return [tuple(row) for row in rows]


def _entry(connection: sqlite3.Connection, where: str, *values: str) -> MediaEntry | None:
    row = connection.execute(_ENTRY + where, values).fetchone()
    if row is None:
        return None
    made = {"metadata": json.loads(row["metadata"]), "asset": _stored(row)}
    return MediaEntry(**{name: row[name] for name in _MEDIA} | made)


def _stored(row: sqlite3.Row) -> StoredAsset:
    return StoredAsset(**{name: row[name] for name in _ASSET})


def known(row: sqlite3.Row) -> KnownMedia | None:
    """What ``jobs.claim`` found in the library beside an image."""
    if row["media_id"] is None:
        return None
    kind = addresses.type_of(row["mime_type"])
    facts = Facts(kind, *(row[name] for name in ("width", "height", "frames", "orientation")))
    names = [field.name for field in fields(KnownMedia)][:-1]
    return KnownMedia(**{name: row[name] for name in names}, facts=facts)


def take_over(connection: sqlite3.Connection, outcome: ImportOutcome, now: float) -> int:
    """Bring the library to what ``outcome`` (success or skipped) says; returns the asset's
    number. The caller has made sure that the task's lease is still good."""
    old = outcome.task.known
    media_id = old.media_id if old is not None else addresses.new_media_id()
    if outcome.new is not None:
        asset = _add_asset(connection, media_id, outcome.new, now)
    else:
        assert old is not None, "a new entry needs bytes"
        asset = old.asset
    if outcome.metadata is not None:
        _write(connection, outcome, media_id, asset, now)
    elif old and (outcome.etag, outcome.last_modified) != (old.etag, old.last_modified):
        connection.execute(
            "UPDATE media SET etag = ?, last_modified = ? WHERE id = ? AND url = ?",
            (outcome.etag, outcome.last_modified, media_id, outcome.task.image.url),
        )
    return asset


def _add_asset(connection: sqlite3.Connection, media_id: str, new: NewBytes, now: float) -> int:
    facts = new.facts
    return insert(
        connection,
        "asset",
        media=media_id,
        key=addresses.new_key(facts.type, now),
        sha256=new.sha256,
        source_sha256=new.source_sha256,
        mime_type=facts.type.mime,
        width=facts.width,
        height=facts.height,
        size=new.size,
        frames=facts.frames,
        orientation=facts.orientation,
        created_at=now,
    )


def _write(
    connection: sqlite3.Connection, outcome: ImportOutcome, media_id: str, asset: int, now: float
) -> None:
    """The entry as the outcome says; created, or under the same media id with one version more."""
    task, image = outcome.task, outcome.task.image
    connection.execute(
        """INSERT INTO media (id, system_name, external_id, media_type, title, metadata, request,
                              url, etag, last_modified, asset, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE
              SET version = version + 1, media_type = excluded.media_type, title = excluded.title,
                  metadata = excluded.metadata, request = excluded.request, url = excluded.url,
                  etag = excluded.etag, last_modified = excluded.last_modified,
                  asset = excluded.asset, updated_at = excluded.updated_at""",
        (
            media_id,
            task.system_name,
            image.id,
            image.media_type,
            image.file_name,
            json.dumps(outcome.metadata),
            outcome.request,
            image.url,
            outcome.etag,
            outcome.last_modified,
            asset,
            now,
            now,
        ),
    )


def without_row(connection: sqlite3.Connection, blobs: Iterable[str]) -> list[str]:
    """Those of ``blobs`` (sha256) that no asset refers to."""
    sql = "SELECT 1 FROM asset WHERE sha256 = ? LIMIT 1"
    return [blob for blob in blobs if connection.execute(sql, (blob,)).fetchone() is None]
