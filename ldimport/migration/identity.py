"""Identity across systemNames: ``(systemName, id)`` is an image for ever, so another name for the
same archive would import all of it once more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ldimport.migration.store import StateStore
from ldimport.model import Place, Problem, Severity


@dataclass(frozen=True, slots=True)
class Names:
    """The systemNames under which a target got images: ``own`` is the one in question, ``others``
    have images, the one with the most first, each with how many."""

    target: str
    own: str
    own_images: int
    others: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, store: StateStore, target: str, own: str) -> Names:
        """As the state file knows them."""
        images = store.images_by_name(target)
        others = tuple((name, n) for name, n in images.items() if name != own and n)
        return cls(target, own, images.get(own, 0), others)

    def elsewhere(self, store: StateStore, ids: Sequence[str]) -> dict[str, str]:
        """Which of these ids (a few hundred) were sent under another name, and under which."""
        return store.elsewhere(self.target, self.own, ids) if self.others and ids else {}

    def new_name(self, manifest: str) -> Problem | None:
        """A warning where the name was never used, and another one always was."""
        if self.own_images or not self.others:
            return None
        name, images = self.others[0]
        return Problem(
            Severity.WARNING,
            "new-system-name",
            Place(manifest),
            "systemName",
            f"systemName “{self.own}” is new here; so far it was “{name}” ({images:,} images)",
            f"the same archive under another name arrives twice: --system-name {json.dumps(name)}",
            value=self.own,
        )

    def moved(self, id_: str, name: str, place: Place, *, strict: bool) -> Problem:
        """A finding about an id that was sent under ``name``. Its place needs no search."""
        return Problem(
            Severity.ERROR if strict else Severity.WARNING,
            "other-system-name",
            Place(place.file, place.row, place.line, 1),
            "id",
            f"id “{id_[:60]}” was sent before under systemName “{name}”",
            "if it means the same image, it would arrive once more: use the same --system-name",
            id_,
            value=id_[:120],
        )
