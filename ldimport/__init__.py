"""Carry image archives into the Livingdocs CMS: check, rehearse, submit, track.

The public API, loaded on first use (PEP 562), so that ``import ldimport`` costs nothing::

    from ldimport import Engine, LivingdocsClient, Migration, read_manifest
"""

TYPE_CHECKING = False  # typing itself takes longer to import than all of this
if TYPE_CHECKING:
    from ldimport.client import LivingdocsClient
    from ldimport.engine import Engine
    from ldimport.manifest import read_manifest
    from ldimport.migration import Migration

__version__ = "0.1.0"
__all__ = ["Engine", "LivingdocsClient", "Migration", "__version__", "read_manifest"]

_PLACES = {
    "Engine": "ldimport.engine",
    "LivingdocsClient": "ldimport.client",
    "Migration": "ldimport.migration",
    "read_manifest": "ldimport.manifest",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'ldimport' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
