"""SQL of the media library: entries and their stored originals. See ``catalogue`` for the
schema; functions that write want a connection inside ``Catalogue.writing``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from ldimport.engine import addresses
from ldimport.engine.records import Known, MediaEntry, NewBytes, Outcome, StoredAsset
from ldimport.model import Facts, Json

_ENTRY = """
SELECT m.id, m.version, m.media_type, m.title, m.metadata, m.system_name, m.external_id,
       m.created_at, m.updated_at, a.key, a.mime_type, a.width, a.height, a.size, a.sha256
  FROM media m JOIN asset a ON a.id = m.asset
"""


def find(connection: sqlite3.Connection, system_name: str, external_id: str) -> MediaEntry | None:
    """The entry with this identity."""
    where = "WHERE m.system_name = ? AND m.external_id = ?"
    return _entry(connection.execute(_ENTRY + where, (system_name, external_id)).fetchone())


def get(connection: sqlite3.Connection, media_id: str) -> MediaEntry | None:
    """The entry with this media id."""
    return _entry(connection.execute(_ENTRY + "WHERE m.id = ?", (media_id,)).fetchone())


def _entry(row: sqlite3.Row | None) -> MediaEntry | None:
    if row is None:
        return None
    return MediaEntry(
        row["id"],
        row["version"],
        row["media_type"],
        row["title"],
        json.loads(row["metadata"]),
        _stored(row),
        row["system_name"],
        row["external_id"],
        row["created_at"],
        row["updated_at"],
    )


def _stored(row: sqlite3.Row) -> StoredAsset:
    return StoredAsset(
        row["key"],
        row["mime_type"],
        row["width"],
        row["height"],
        row["size"],
        row["sha256"],
        row["title"],
    )


def original(connection: sqlite3.Connection, key: str) -> StoredAsset | None:
    """The stored original under this storage key, named by its entry's title."""
    row = connection.execute(
        """SELECT a.key, a.mime_type, a.width, a.height, a.size, a.sha256, m.title
             FROM asset a JOIN media m ON m.id = a.media WHERE a.key = ?""",
        (key,),
    ).fetchone()
    return None if row is None else _stored(row)


def known(row: sqlite3.Row) -> Known | None:
    """What ``jobs.claim`` found in the library beside a task (columns ``media_*``, ``asset_*``)."""
    if row["media_id"] is None:
        return None
    facts = Facts(
        addresses.type_of(row["mime_type"]),
        row["width"],
        row["height"],
        row["frames"],
        row["orientation"],
    )
    return Known(
        row["media_id"],
        row["asset_id"],
        row["media_request"],
        row["media_url"],
        row["etag"],
        row["last_modified"],
        row["sha256"],
        row["source_sha256"],
        facts,
    )


def take_over(connection: sqlite3.Connection, outcome: Outcome, now: float) -> int:
    """Bring the library to what ``outcome`` (success or skipped) says; returns the asset's
    number. The caller has made sure that the task's lease is still good."""
    task, old = outcome.task, outcome.task.known
    media_id = old.media_id if old is not None else addresses.new_media_id()
    asset = _add_asset(connection, media_id, outcome.new, now) if outcome.new else None
    if old is None:
        assert asset is not None, "a new entry needs bytes"
        _create(connection, outcome, media_id, asset, now)
        return asset
    asset = asset or old.asset
    if outcome.metadata is not None:
        _update(connection, outcome, media_id, asset, now)
    elif (outcome.etag, outcome.last_modified) != (old.etag, old.last_modified):
        connection.execute(
            "UPDATE media SET etag = ?, last_modified = ? WHERE id = ? AND url = ?",
            (outcome.etag, outcome.last_modified, media_id, task.image.url),
        )
    return asset


def _add_asset(connection: sqlite3.Connection, media_id: str, new: NewBytes, now: float) -> int:
    facts = new.facts
    cursor = connection.execute(
        """INSERT INTO asset (media, key, sha256, source_sha256, mime_type, width, height, size,
                              frames, orientation, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            media_id,
            addresses.new_key(facts.type, now),
            new.sha256,
            new.source_sha256,
            facts.type.mime,
            facts.width,
            facts.height,
            new.size,
            facts.frames,
            facts.orientation,
            now,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _create(
    connection: sqlite3.Connection, outcome: Outcome, media_id: str, asset: int, now: float
) -> None:
    task, image = outcome.task, outcome.task.image
    connection.execute(
        """INSERT INTO media (id, system_name, external_id, media_type, title, metadata, request,
                              url, etag, last_modified, asset, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
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


def _update(
    connection: sqlite3.Connection, outcome: Outcome, media_id: str, asset: int, now: float
) -> None:
    image = outcome.task.image
    connection.execute(
        """UPDATE media SET version = version + 1, media_type = ?, title = ?, metadata = ?,
                            request = ?, url = ?, etag = ?, last_modified = ?, asset = ?,
                            updated_at = ?
            WHERE id = ?""",
        (
            image.media_type,
            image.file_name,
            json.dumps(outcome.metadata),
            outcome.request,
            image.url,
            outcome.etag,
            outcome.last_modified,
            asset,
            now,
            media_id,
        ),
    )


def set_metadata(
    connection: sqlite3.Connection, media_id: str, metadata: Mapping[str, Json], now: float
) -> None:
    """Replace an entry's metadata, as a PATCH does; what an import compares is not touched."""
    connection.execute(
        "UPDATE media SET metadata = ?, version = version + 1, updated_at = ? WHERE id = ?",
        (json.dumps(dict(metadata)), now, media_id),
    )


def stored_since(connection: sqlite3.Connection, since: float) -> int:
    """Images created or given new bytes after ``since`` (Unix seconds)."""
    sql = "SELECT count(*) FROM asset WHERE created_at > ?"
    return int(connection.execute(sql, (since,)).fetchone()[0])


def nth_stored_since(connection: sqlite3.Connection, since: float, n: int) -> float:
    """When the ``n``-th (from 1) of them was stored."""
    sql = "SELECT created_at FROM asset WHERE created_at > ? ORDER BY created_at LIMIT 1 OFFSET ?"
    return float(connection.execute(sql, (since, n - 1)).fetchone()[0])


def without_row(connection: sqlite3.Connection, blobs: Iterable[str]) -> list[str]:
    """Those of ``blobs`` (sha256) that no asset refers to."""
    sql = "SELECT 1 FROM asset WHERE sha256 = ? LIMIT 1"
    return [blob for blob in blobs if connection.execute(sql, (blob,)).fetchone() is None]
