"""Images that were probably sent before: under another systemName, or with their ids in another
spelling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from ldimport.migration.account import Account
from ldimport.migration.source import Source
from ldimport.migration.store import StateStore
from ldimport.model import Place, Problem, Severity
from ldimport.url import without_secrets

CHUNK = 500
"""Rows looked up in the state file at a time."""


@dataclass(frozen=True, slots=True)
class Names:
    """``(systemName, id)`` is an image for ever, so another name for the same archive would import
    all of it once more. The names under which a target got images: ``own`` is the one in question,
    ``others`` have images, the one with the most first, each with how many."""

    store: StateStore
    target: str
    own: str
    own_images: int
    others: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, store: StateStore, target: str, own: str) -> Names:
        """As the state file knows them."""
        images = store.images_by_name(target)
        others = tuple((name, n) for name, n in images.items() if name != own and n)
        return cls(store, target, own, images.get(own, 0), others)

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

    def moved(self, places: Mapping[str, Place], *, strict: bool) -> dict[str, Problem]:
        """By id: what is to be said of those (a few hundred) that were sent under another name.
        Their places need no search."""
        if not self.others or not places:
            return {}
        kind = Severity.ERROR if strict else Severity.WARNING
        hint = "if it means the same image, it would arrive once more: use the same --system-name"
        found = {}
        for id_, name in self.store.elsewhere(self.target, self.own, list(places)).items():
            place = places[id_]._replace(column=1)
            shown = without_secrets(id_)
            text = f"id “{shown[:60]}” was sent before under systemName “{name}”"
            found[id_] = Problem(
                kind, "other-system-name", place, "id", text, hint, id_, value=shown[:120]
            )
        return found


def sent_before(account: Account, source: Source) -> tuple[str, str] | None:
    """Where nothing was sent yet under the manifest's systemName: another name that one of its ids
    was sent under, and the id. The manifest is read up to there."""
    names = Names.of(account.store, account.target.identity, source.envelope.system_name)
    entries = source.manifest.entries() if names.others and not names.own_images else iter(())
    while ids := [each.id for each in islice(entries, CHUNK)]:
        found = account.store.elsewhere(names.target, names.own, ids)
        if first := next((each for each in ids if each in found), None):
            return found[first], without_secrets(first)[:60]
    return None


def alike(
    store: StateStore, archive: int | None, places: Mapping[str, Place], *, strict: bool
) -> dict[str, Problem]:
    """By id: what is to be said of new ones (a few hundred) that the archive probably has."""
    if archive is None or not places:
        return {}
    kind = Severity.ERROR if strict else Severity.WARNING
    hint = "if it means the same image, it would arrive once more: write the id as it was sent"
    found = {}
    for id_, known in store.alike(archive, list(places)).items():
        new, old = without_secrets(id_), without_secrets(known)
        text = f"id “{new[:60]}” is new, and “{old[:60]}” was sent before"
        place = places[id_]._replace(column=1)
        found[id_] = Problem(kind, "id-alike", place, "id", text, hint, id_, value=new[:120])
    return found
