"""Manifests: files of rows to import, read as a stream of entries, and written."""

from ldimport.manifest.kinds import Detected, ManifestFormat, ReadingNote, ReadOptions
from ldimport.manifest.manifest import Manifest, open_manifest, read_manifest
from ldimport.manifest.objects import name_fault
from ldimport.manifest.streams import encoding_name

__all__ = [
    "Detected",
    "Manifest",
    "ManifestFormat",
    "ReadOptions",
    "ReadingNote",
    "encoding_name",
    "name_fault",
    "open_manifest",
    "read_manifest",
]
