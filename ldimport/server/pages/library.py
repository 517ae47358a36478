"""The media library: a gallery, found by words and kinds, and one entry of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from ldimport.cells import json_text
from ldimport.engine import addresses
from ldimport.engine.accept import BY_PATCH
from ldimport.engine.records import LibraryKind, LibraryQuery, MediaEntry, StoredAsset
from ldimport.errors import LdimportError
from ldimport.model import ImageType, Json
from ldimport.schema.extraction import FROM_NAME, readable
from ldimport.server.pages.view import PageRequest
from ldimport.server.responses import Refusal, no_such
from ldimport.url import without_secrets
from ldimport.wording import utc

A_PAGE = 60
MOST_COUNTED = 1_000
"""Entries that are counted for a search; that there are more is said."""
THUMBNAIL, PREVIEW = 320, 800
"""Pixels of the longer side."""


def gallery(look: PageRequest) -> Response:
    """Entries, newest first, or those that a query names; ``show``: one of them beside."""
    library, query = look.engine.store.library, _query(look)
    most, before = look.count("limit", A_PAGE, 1_000), look.text("before")
    kinds, unread, trouble = _searchable(look)
    if query and trouble:
        text = f"Nothing can be searched: {trouble}"
        raise Refusal(503, text, headers={"Retry-After": "60"})
    count = None
    if query:
        page = library.search(query, most + 1, before or None, MOST_COUNTED)
        found, count = page.entries, page.count
    else:
        found = tuple(library.newest(most + 1, before or None))
    shown = _shown(look)
    last = found[most - 1].id if len(found) > most else None
    images = library.holdings()[0] if trouble else sum(each.images for each in kinds) + unread
    document = {
        "images": images,
        "found": count,
        "unread": unread,
        "query": {name: look.text(name) for name in ("q", "type", "system", "from", "to")},
        "types": sorted({each.media_type for each in kinds}),
        "systems": sorted({each.system_name for each in kinds}),
        "entries": [_card(each) for each in found[:most]],
        "next": None if last is None else look.same(".json", before=last, show=None),
    }
    screen = {
        "entries": [{**_card(each), "href": look.link(show=each.id)} for each in found[:most]],
        "shown": shown and _document(shown, look),
        "close": look.link(show=None),
        "asked": bool(query),
        "trouble": trouble,
        "many": bool(query) and count is None and not before,
        "every": 1 if unread and not before else 0,
        "first": look.link(before=None, show=None) if before else "",
        "more": last and look.link(before=last, show=None),
    }
    return look.page("library.html", document, **screen)


def one(look: PageRequest) -> Response:
    """One entry."""
    media_id = look.request.path_params["id"]
    entry = look.engine.media(media_id)
    if entry is None:
        raise no_such(f"media entry {media_id}")
    found = _document(entry, look)
    told = {name: value for name, value in found.items() if name not in _FOR_SCREENS}
    return look.page("entry.html", told if look.machine else {"entry": found})


_FOR_SCREENS = ("preview", "previewWidth", "previewHeight")


def _searchable(look: PageRequest) -> tuple[Sequence[LibraryKind], int, str]:
    """What the search index knows, and how many entries it does not; or why it cannot be used,
    which keeps nobody from looking."""
    library = look.engine.store.library
    try:
        unread = library.unread()
        return library.kinds(), unread, ""
    except LdimportError as error:
        return (), 0, error.message


def _shown(look: PageRequest) -> MediaEntry | None:
    return look.engine.media(look.text("show")) if look.text("show") else None


def _query(look: PageRequest) -> LibraryQuery:
    return LibraryQuery(
        look.text("q") if look.text("q").strip() else "",
        look.text("system") or None,
        look.text("type") or None,
        _moment(look, "from"),
        _moment(look, "to", days=1),
    )


def _moment(look: PageRequest, name: str, days: int = 0) -> float | None:
    """When a day of the query, or one so many after it, begins where this runs (Unix seconds)."""
    text = look.text(name)
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text[:10]) + timedelta(days=days)
        return day.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise Refusal(400, {name: "must be a day: 2026-11-23"}) from None


def _card(entry: MediaEntry) -> dict[str, Any]:
    of = entry.asset
    return {
        "id": entry.id,
        "externalId": entry.external_id,
        "systemName": entry.system_name,
        "mediaType": entry.media_type,
        "title": entry.title,
        "mimeType": of.mime_type,
        "width": of.width,
        "height": of.height,
        "size": of.size,
        "createdAt": utc(entry.created_at),
        "thumbnail": picture(entry.title, of, THUMBNAIL),
    }


def picture(title: str, of: StoredAsset, longest: int | None = None) -> str:
    """The path of a stored image, or of one that fits a square of so many pixels. An SVG is shown
    as it is."""
    found = addresses.asset("", title, of).original_url
    if longest is None or of.mime_type == ImageType.SVG.mime:
        return found
    return f"{found}&w={longest}&h={longest}&fit=contain&format=auto"


def _document(entry: MediaEntry, look: PageRequest) -> dict[str, Any]:
    """An entry with all that is known of it."""
    of = entry.asset
    scale = min(1.0, PREVIEW / max(of.width, of.height))
    return {
        **_card(entry),
        "version": entry.version,
        "updatedAt": utc(entry.updated_at),
        "sourceUrl": without_secrets(entry.url),
        "sha256": of.sha256,
        "original": picture(entry.title, of),
        "metadata": [_value(entry, name, value) for name, value in entry.metadata.items()],
        "history": [*_history(entry)],
        "preview": picture(entry.title, of, PREVIEW),
        "previewWidth": max(1, round(of.width * scale)),
        "previewHeight": max(1, round(of.height * scale)),
    }


def _value(entry: MediaEntry, name: str, value: Json) -> dict[str, Any]:
    """One value, how it reads, and where it came from."""
    shown = value if isinstance(value, str) else json_text(value)
    if isinstance(value, list) and not any(isinstance(each, dict) for each in value):
        shown = readable(value)
    return {"name": name, "value": value, "shown": shown, "origin": _origin(entry, name)}


def _origin(entry: MediaEntry, name: str) -> str:
    if entry.filled is None:
        return "not known where from"
    source = entry.filled.get(name)
    if source is None:
        return "from the manifest"
    if source == FROM_NAME:
        return "from the file’s name"
    return "set over the API" if source == BY_PATCH else f"from the file ({source})"


def _history(entry: MediaEntry) -> Iterator[dict[str, Any]]:
    """What became of it, oldest first."""
    of = entry.asset
    yield _step(entry.created_at, "imported", entry.first_job)
    if of.stored_at > entry.created_at and of.stored_at != entry.updated_at:
        yield _step(of.stored_at, "new picture", None)
    if entry.updated_at > entry.created_at:
        patched = BY_PATCH in (entry.filled or {}).values()
        changed = "changed over the API" if patched else f"changed, version {entry.version}"
        yield _step(entry.updated_at, changed, None if patched else entry.last_job)


def _step(moment: float, what: str, job: str | None) -> dict[str, Any]:
    return {"at": utc(moment), "moment": moment, "what": what, "job": job}
