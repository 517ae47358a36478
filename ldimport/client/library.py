"""Entries of the media library, as ``GET mediaLibrary`` answers them (docs/livingdocs-api.md,
"Media library")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ldimport import wire
from ldimport.model import Asset, Json


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One entry. ``version`` is what ``patch_media`` takes; ``system_name`` and ``external_id``
    are None where the server leaves them out."""

    id: str
    version: int | None
    media_type: str | None
    asset: Asset
    metadata: Mapping[str, Json]
    system_name: str | None
    external_id: str | None

    def has_identity(self, system_name: str, external_id: str) -> bool:
        """Whether this can be the entry with that identity: a server that does not know the
        filter answers with any others."""
        return self.system_name in (None, system_name) and self.external_id in (None, external_id)


def entry_from_json(item: object) -> LibraryEntry | None:
    """Read one entry; None for what has no id."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    asset = wire.optional(dict, item.get("asset")) or {}
    return LibraryEntry(
        item["id"],
        wire.optional(int, item.get("version")),
        wire.optional(str, item.get("mediaType")),
        wire.asset_from_json({"originalUrl": asset.get("url", ""), **asset, "mediaId": item["id"]}),
        wire.optional(dict, item.get("metadata")) or {},
        wire.optional(str, item.get("systemName")),
        wire.optional(str, item.get("externalId")),
    )
