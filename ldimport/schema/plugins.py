"""Livingdocs' metadata plugins: what each stores, whether a media type may have it.

One word per plugin page; JSON Schemas of their values are in ``shapes.json`` (``docs/
livingdocs-api.md``, "Metadata plugins").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from importlib import resources

from ldimport.model import Json


class ValueShape(Enum):
    """What a value is, as far as writing it in one cell is concerned."""

    TEXT = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    DATE = auto()
    DATETIME = auto()
    TEXTS = auto()
    INTEGERS = auto()
    OBJECT = auto()  # JSON in a cell


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin. ``media``: its page allows it on media types; ``gone``: what became of it in
    newer releases."""

    handle: str
    shape: ValueShape
    media: bool = True
    gone: str = ""


_ON_MEDIA_TYPES = {
    ValueShape.TEXT: "li-text li-enum li-color li-external-id li-media-handle",
    ValueShape.TEXTS: "li-string-list",
    ValueShape.INTEGERS: "li-numeric-list",
    ValueShape.INTEGER: "li-integer li-system-integer",
    ValueShape.BOOLEAN: "li-boolean li-invalid",
    ValueShape.DATE: "li-date",
    ValueShape.DATETIME: "li-datetime li-system-datetime",
    ValueShape.OBJECT: "li-datetime-validity li-document-reference li-document-references "
    "li-video-reference li-image li-poster-image li-named-crops li-metadata-translations "
    "li-license-profile li-transcoding-state li-google-vision li-reference li-reference-list "
    "li-media-language",
}
_ELSEWHERE = {
    ValueShape.TEXT: "li-manual-document-status li-system-enum li-system-text li-unique-id "
    "li-user-needs",
    ValueShape.BOOLEAN: "li-moderated-collab li-system-boolean",
    ValueShape.INTEGER: "li-system-priority",
    ValueShape.DATE: "li-system-date",
    ValueShape.DATETIME: "li-publish-date",
    ValueShape.OBJECT: "li-bundled-documents li-buy-in li-category li-dependencies "
    "li-desknet-global li-kordiam-global li-desknet-integration li-kordiam-integration "
    "li-desknet-schedule li-kordiam-schedule li-distribution-dates li-distribution-planning "
    "li-distribution-schedule li-document-search li-document-soft-lock "
    "li-estimated-time-of-completion li-exposure-boost li-imatrics-nlp-tags li-issue-management "
    "li-language li-list-reference li-print li-push-messages li-push-notifications li-retresco "
    "li-routing li-target-length li-system-target-length li-task-v2 li-team li-teaser "
    "li-ticker-host-reference li-tree",
}
_GONE = {
    "li-google-vision": "removed in release-2026-07",
    "li-reference": "replaced by li-document-reference in 2023-11",
    "li-reference-list": "replaced by li-document-references in 2023-11",
    "li-media-language": "replaced by li-metadata-translations in 2023-09",
}
PLUGINS: Mapping[str, Plugin] = {
    handle: Plugin(handle, shape, table is _ON_MEDIA_TYPES, _GONE.get(handle, ""))
    for table in (_ON_MEDIA_TYPES, _ELSEWHERE)
    for shape, handles in table.items()
    for handle in handles.split()
}
"""Every plugin with a page. A type that is not here is a project's own plugin."""


@cache
def shapes() -> Mapping[str, dict[str, Json]]:
    """The ``$defs`` of ``shapes.json``: a JSON Schema (2020-12) for each plugin's value."""
    text = resources.files("ldimport.schema").joinpath("shapes.json").read_text("utf-8")
    found: dict[str, dict[str, Json]] = json.loads(text)["$defs"]
    return found
