"""Livingdocs' metadata plugins: what each stores, whether a media type may have it.

One row per plugin page (livingdocs.md 4.3, 4.4); the shapes of their values are in
``shapes.json`` (livingdocs.md 4.5).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from importlib import resources

from ldimport.model import Json


class Kind(Enum):
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
    kind: Kind
    media: bool = True
    gone: str = ""


def _rows(kind: Kind, handles: str, *, media: bool = True, gone: str = "") -> list[Plugin]:
    return [Plugin(handle, kind, media, gone) for handle in handles.split()]


_ROWS = (
    *_rows(Kind.TEXT, "li-text li-enum li-color li-external-id li-media-handle"),
    *_rows(Kind.TEXTS, "li-string-list"),
    *_rows(Kind.INTEGERS, "li-numeric-list"),
    *_rows(Kind.INTEGER, "li-integer li-system-integer"),
    *_rows(Kind.BOOLEAN, "li-boolean li-invalid"),
    *_rows(Kind.DATE, "li-date"),
    *_rows(Kind.DATETIME, "li-datetime li-system-datetime"),
    *_rows(
        Kind.OBJECT,
        "li-datetime-validity li-document-reference li-document-references li-video-reference "
        "li-image li-poster-image li-named-crops li-metadata-translations li-license-profile "
        "li-transcoding-state",
    ),
    *_rows(Kind.OBJECT, "li-google-vision", gone="removed in release-2026-07"),
    *_rows(Kind.OBJECT, "li-reference", gone="replaced by li-document-reference in 2023-11"),
    *_rows(Kind.OBJECT, "li-reference-list", gone="replaced by li-document-references in 2023-11"),
    *_rows(
        Kind.OBJECT, "li-media-language", gone="replaced by li-metadata-translations in 2023-09"
    ),
    *_rows(
        Kind.TEXT,
        "li-manual-document-status li-system-enum li-system-text li-unique-id li-user-needs",
        media=False,
    ),
    *_rows(Kind.BOOLEAN, "li-moderated-collab li-system-boolean", media=False),
    *_rows(Kind.INTEGER, "li-system-priority", media=False),
    *_rows(Kind.DATE, "li-system-date", media=False),
    *_rows(Kind.DATETIME, "li-publish-date", media=False),
    *_rows(
        Kind.OBJECT,
        "li-bundled-documents li-buy-in li-category li-dependencies li-desknet-global "
        "li-kordiam-global li-desknet-integration li-kordiam-integration li-desknet-schedule "
        "li-kordiam-schedule li-distribution-dates li-distribution-planning "
        "li-distribution-schedule li-document-search li-document-soft-lock "
        "li-estimated-time-of-completion li-exposure-boost li-imatrics-nlp-tags "
        "li-issue-management li-language li-list-reference li-print li-push-messages "
        "li-push-notifications li-retresco li-routing li-target-length li-system-target-length "
        "li-task-v2 li-team li-teaser li-ticker-host-reference li-tree",
        media=False,
    ),
)
PLUGINS: Mapping[str, Plugin] = {plugin.handle: plugin for plugin in _ROWS}
"""Every plugin with a page. A type that is not here is a project's own plugin."""


@cache
def shapes() -> Mapping[str, dict[str, Json]]:
    """The ``$defs`` of ``shapes.json``: a JSON Schema (2020-12) for each plugin's value."""
    text = resources.files("ldimport.schema").joinpath("shapes.json").read_text("utf-8")
    found: dict[str, dict[str, Json]] = json.loads(text)["$defs"]
    return found
