"""SQL of the media library: entries and their stored originals. Functions that take a connection
want one inside ``Catalogue.writing``."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ldimport.database_rows import made, steps_of, values_checked
from ldimport.engine import addresses
from ldimport.engine.records import (
    ImportOutcome,
    KnownMedia,
    LibraryKind,
    LibraryPage,
    LibraryQuery,
    MediaEntry,
    NewBytes,
    StoredAsset,
)
from ldimport.engine.store.contract import Edit, Library
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.schema import KIND, SQL
from ldimport.engine.store.sqlite.search import SearchIndex
from ldimport.model import Facts, Json, Status

_STAYS = frozenset((Status.SUCCESS, Status.SKIPPED))


@values_checked(KIND)
class SqliteLibrary(Library):
    """The library in tables ``media`` and ``asset``."""

    def __init__(self, catalogue: Catalogue, search: SearchIndex) -> None:
        self._catalogue = catalogue
        self._search = search

    def find(self, system_name: str, external_id: str) -> MediaEntry | None:
        where = SQL["entry"] + " m.system_name = ? AND m.external_id = ?"
        return _entry(self._catalogue.rows(where, system_name, external_id))

    def get(self, media_id: str) -> MediaEntry | None:
        return _entry(self._catalogue.rows(SQL["entry"] + " m.id = ?", media_id))

    def original(self, key: str) -> StoredAsset | None:
        rows = self._catalogue.rows(SQL["original"], key)
        return made(StoredAsset, rows[0]) if rows else None

    def change(self, media_id: str, edit: Edit) -> MediaEntry | None:
        with self._catalogue.writing() as connection:
            if (entry := self.get(media_id)) is None:
                return None
            new = edit(entry)
            filled = None if new.filled is None else json.dumps(dict(new.filled))
            changed = (json.dumps(dict(new.metadata)), filled, new.updated_at, media_id)
            connection.execute(SQL["change_entry"], changed)
            return self.get(media_id)

    def newest(self, most: int, before: str | None = None) -> Sequence[MediaEntry]:
        where = "(?1 IS NULL OR m.id < ?1) ORDER BY m.id DESC LIMIT ?2"
        return [_made(row) for row in self._catalogue.rows(SQL["entry"] + where, before, most)]

    def search(
        self, query: LibraryQuery, most: int, before: str | None = None, counted: int = 0
    ) -> LibraryPage:
        enough = most if before else max(most, counted + 1)
        ids = self._search.find(query, enough, before)
        found = (self.get(media_id) for media_id in ids[:most])
        known = not before and len(ids) < enough
        return LibraryPage(tuple(filter(None, found)), len(ids) if known else None)

    def kinds(self) -> Sequence[LibraryKind]:
        return self._search.kinds()

    def unread(self) -> int:
        return self._search.unread()

    def stored_since(self, moment: float) -> int:
        sql = "SELECT count(*) FROM asset WHERE created_at >= ?"
        return int(self._catalogue.rows(sql, moment)[0][0])

    def holdings(self) -> tuple[int, int]:
        sql = "SELECT (SELECT count(*) FROM media), (SELECT coalesce(sum(size), 0) FROM asset)"
        ((entries, size),) = self._catalogue.rows(sql)
        return entries, size

    def sizes(self, system_name: str, bounds: Sequence[int]) -> Mapping[int, int]:
        query = SQL["sizes"].format(step=steps_of("a.size", bounds))
        return {row[0]: row[1] for row in self._catalogue.rows(query, system_name)}

    def blobs(self) -> Iterator[tuple[str, int]]:
        last = ""
        while rows := self._catalogue.rows(SQL["next_blobs"], last):
            yield from ((bytes.fromhex(sha256).hex(), int(size)) for sha256, size in rows)
            last = rows[-1]["sha256"]


def mapping(text: str) -> dict[str, Json]:
    """What a column with a JSON object holds."""
    return dict(json.loads(text).items())


def _entry(rows: Sequence[sqlite3.Row]) -> MediaEntry | None:
    if not rows:
        return None
    return _made(rows[0])


def _made(row: sqlite3.Row) -> MediaEntry:
    filled = None if row["filled"] is None else mapping(row["filled"])
    return made(MediaEntry, row, metadata=mapping(row["metadata"]), filled=filled)


def known(row: sqlite3.Row) -> KnownMedia | None:
    """What ``jobs.claim`` found in the library beside an image."""
    if row["media_id"] is None:
        return None
    facts = made(Facts, row, type=addresses.type_of(row["mime_type"]), notes=())
    validators = (row["etag"], row["last_modified"])
    return made(KnownMedia, row, url=row["known_url"], validators=validators, facts=facts)


@dataclass(frozen=True, slots=True)
class LibraryChange:
    """What an outcome (success or skipped) does to the library, written down before anybody waits:
    the rows lack the numbers of asset and entry. No ``asset``: it stays as it is, no ``entry``
    likewise."""

    asset: tuple[object, ...] | None
    entry: tuple[object, ...] | None


def changes(outcomes: Sequence[ImportOutcome], now: float) -> dict[int, LibraryChange]:
    """The change for each task's item, but for the failed."""
    return {each.task.item: _change(each, now) for each in outcomes if each.status in _STAYS}


def _change(outcome: ImportOutcome, now: float) -> LibraryChange:
    old, new = outcome.task.known, outcome.new
    assert old is not None or new is not None, "a new entry needs bytes"
    entry = None if outcome.metadata is None else _entry_row(outcome)
    return LibraryChange(None if new is None else _asset(new, now), entry)


def take_over(
    connection: sqlite3.Connection,
    outcomes: Sequence[ImportOutcome],
    prepared: Mapping[int, LibraryChange],
    jobs: Mapping[tuple[int, int], int],
    now: float,
) -> dict[int, int]:
    """Bring the library to what ``outcomes`` say; the asset's number for each task's item, but for
    the failed. ``jobs`` has the job of each task's lease: the caller has made sure that these are
    still good."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM asset").fetchone()
    assets, entries, validators, numbers = [], [], [], {}
    for outcome in outcomes:
        old, change = outcome.task.known, prepared.get(outcome.task.item)
        if change is None:
            continue
        if change.asset is not None:
            number = last = last + 1
            media_id = addresses.new_media_id(number) if old is None else old.media_id
            assets.append((number, media_id, *change.asset))
        else:
            assert old is not None
            number, media_id = old.asset, old.media_id
        if change.entry is not None:
            job = jobs[outcome.task.lease]
            entries.append((media_id, *change.entry, number, now, now, job, job))
        elif old and outcome.validators != old.validators:
            validators.append((*outcome.validators, old.media_id))
        numbers[outcome.task.item] = number
    connection.executemany(SQL["enter_asset"], assets)
    connection.executemany(SQL["write_entry"], entries)
    sql = "UPDATE media SET etag = ?, last_modified = ? WHERE id = ?"
    connection.executemany(sql, validators)
    return numbers


def _asset(new: NewBytes, now: float) -> tuple[object, ...]:
    facts, kind = new.facts, new.facts.type
    shape = (facts.width, facts.height, facts.frames, facts.orientation)
    key = addresses.new_key(kind, now)
    return (key, new.sha256, new.source_sha256, kind.mime, new.size, now, *shape)


def _entry_row(outcome: ImportOutcome) -> tuple[object, ...]:
    """The entry as the outcome says; created, or under the same media id with one version more."""
    task, image = outcome.task, outcome.task.image
    texts = (json.dumps(outcome.metadata), json.dumps(outcome.filled))
    content = (image.media_type, image.file_name, *texts)
    return (task.system_name, image.id, *content, outcome.request, image.url, *outcome.validators)


def without_row(connection: sqlite3.Connection, blobs: Iterable[str]) -> list[str]:
    """Those of ``blobs`` (sha256) that no asset refers to."""
    sql = "SELECT 1 FROM asset WHERE sha256 = ? LIMIT 1"
    return [blob for blob in blobs if connection.execute(sql, (blob,)).fetchone() is None]
