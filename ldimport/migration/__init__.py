"""The use cases of a migration: plan, submit, retry, watch, and what the state file tells.

with StateFile.open(path, write=True) as state, closing(target):
    for event in Migration(state, target).submit(source):
        …
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldimport.migration.migration import Migration
    from ldimport.migration.open import open_target
    from ldimport.migration.source import Source, Wishes, open_source
    from ldimport.migration.state import StateFile
    from ldimport.migration.submit import InvalidManifest

__all__ = [
    "InvalidManifest",
    "Migration",
    "Source",
    "StateFile",
    "Wishes",
    "open_source",
    "open_target",
]

_PLACES = {
    "InvalidManifest": "submit",
    "Migration": "migration",
    "Source": "source",
    "StateFile": "state",
    "Wishes": "source",
    "open_source": "source",
    "open_target": "open",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
