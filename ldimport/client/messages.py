"""What goes to the API and comes back: a call, its raw answer, an entry of the media library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ldimport import wire
from ldimport.errors import TemporaryError
from ldimport.model import Asset, Json


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request below ``/api/<version>/``. ``scope`` is what the token needs for it;
    ``repeatable`` whether it may be sent again when it may have arrived the first time."""

    method: str
    path: str
    scope: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    key: str | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What came back, whole. ``headers`` are by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class UnavailableError(TemporaryError):
    """It may work in a moment. ``arrived``: the server may have acted on the request;
    ``retry_after``: seconds it asked to wait."""

    def __init__(
        self, message: str, *, arrived: bool, retry_after: float | None = None, **others: Any
    ) -> None:
        super().__init__(message, **others)
        self.arrived = arrived
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """An entry of ``GET mediaLibrary``. ``version`` is what ``patch_media`` takes;
    ``system_name`` and ``external_id`` are None where the server leaves them out."""

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
