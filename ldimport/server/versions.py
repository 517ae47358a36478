"""API versions: which there are, which are gone, and what differs between them.

``v1`` and every dated release from 2025-03 (docs/livingdocs-api.md, "Versions and dialects"). A
dated version before the first answers 410 as a removed one; anything else was never there: 404.
"""

from dataclasses import dataclass

CLASSIC = "v1"
RELEASES = ("2025-03", "2025-05", "2025-07", "2025-09", "2025-11",
            "2026-01", "2026-03", "2026-05", "2026-07", "2026-09")  # fmt: skip
VERSIONS = (CLASSIC, *RELEASES)


@dataclass(frozen=True, slots=True)
class Version:
    """One API version that is served."""

    name: str

    @property
    def list_key(self) -> str:
        """Key of the array that ``GET mediaLibrary`` answers; renamed at 2026-01."""
        return "results" if self._since("2026-01") else "mediaLibraryEntries"

    @property
    def preserves_updated_at(self) -> bool:
        """Whether PATCH knows ``preserveUpdatedAt``."""
        return self._since("2026-03")

    def _since(self, release: str) -> bool:
        return self.name != CLASSIC and self.name >= release


def is_removed(name: str) -> bool:
    """Whether ``name`` reads like a release older than the first one served."""
    return name[:1].isdigit() and name < RELEASES[0]
