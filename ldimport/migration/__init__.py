"""The use cases of a migration: plan, submit, retry, watch, and what the state file tells.

with Migration.open(path, write=True, target=target) as migration:
    for event in migration.submit(source, SubmitOptions(valid_only=True)):
        …
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldimport.migration.migration import Migration
    from ldimport.migration.open import open_target
    from ldimport.migration.options import RetryOptions, SubmitOptions
    from ldimport.migration.source import Source, Wishes, open_source
    from ldimport.migration.store import StateStore
    from ldimport.migration.submit import InvalidManifest

__all__ = [
    "InvalidManifest",
    "Migration",
    "RetryOptions",
    "Source",
    "StateStore",
    "SubmitOptions",
    "Wishes",
    "open_source",
    "open_target",
]

_PLACES = {
    "InvalidManifest": "submit",
    "Migration": "migration",
    "RetryOptions": "options",
    "Source": "source",
    "StateStore": "store",
    "SubmitOptions": "options",
    "Wishes": "source",
    "open_source": "source",
    "open_target": "open",
}
"""Imported when asked for: a command that only reads needs no manifest readers."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
