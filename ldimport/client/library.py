"""Entries of the media library, as ``GET mediaLibrary`` answers them (livingdocs.md 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ldimport import wire
from ldimport.model import Asset, Json


@dataclass(frozen=True, slots=True)
class MediaEntry:
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


def entry_from_json(item: object) -> MediaEntry | None:
    """Read one entry; None for what has no id."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    asset = item.get("asset")
    asset = asset if isinstance(asset, dict) else {}
    url = asset.get("url", "")
    metadata = item.get("metadata")
    version = item.get("version")
    return MediaEntry(
        item["id"],
        version if isinstance(version, int) else None,
        _text(item.get("mediaType")),
        wire.asset_from_json({"originalUrl": url, **asset, "mediaId": item["id"]}),
        metadata if isinstance(metadata, dict) else {},
        _text(item.get("systemName")),
        _text(item.get("externalId")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
