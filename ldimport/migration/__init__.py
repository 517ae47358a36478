"""The use cases of a migration: plan, submit, retry, watch, and what the state file tells.

with Migration.open(path, write=True, target=target) as migration:
    for event in migration.submit(source, SubmitOptions(valid_only=True)):
        …
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldimport.migration.account import RetryOptions as RetryOptions
    from ldimport.migration.account import SubmitOptions as SubmitOptions
    from ldimport.migration.migration import Migration as Migration
    from ldimport.migration.open import open_target as open_target
    from ldimport.migration.source import Source as Source
    from ldimport.migration.source import Wishes as Wishes
    from ldimport.migration.source import open_source as open_source
    from ldimport.migration.store import StateStore as StateStore
    from ldimport.migration.submit import InvalidManifest as InvalidManifest

_PLACES = {
    "InvalidManifest": "submit",
    "Migration": "migration",
    "RetryOptions": "account",
    "Source": "source",
    "StateStore": "store",
    "SubmitOptions": "account",
    "Wishes": "source",
    "open_source": "source",
    "open_target": "open",
}
"""Imported when asked for: a command that only reads needs no manifest readers."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
