"""The embedded engine: the import API's behaviour on one folder, no service needed.

    with Engine(folder) as engine:
        job_id = engine.submit(request)
        engine.run()
        print(engine.status(job_id))

Importing this loads nothing; ``Engine`` and its records come on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldimport.engine.engine import Engine
    from ldimport.engine.records import (
        JobSummary,
        MediaEntry,
        StoredAsset,
        StoredImage,
        StoredRendition,
    )

__all__ = ["Engine", "JobSummary", "MediaEntry", "StoredAsset", "StoredImage", "StoredRendition"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    place = "engine" if name == "Engine" else "records"
    return getattr(import_module(f"{__name__}.{place}"), name)
