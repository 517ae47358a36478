"""What every problem code means and how to fix it, for ``ldimport explain CODE``."""

from __future__ import annotations

from collections.abc import Mapping

from ldimport.schema.explain import CODES as CHECKS
from ldimport.schema.explain import Explanation

__all__ = ["CODES", "Explanation"]

_IDENTITY: Mapping[str, Explanation] = {
    "other-system-name": Explanation(
        "an id was sent before under another systemName",
        "systemName and id together are an image for ever. The same id under another systemName "
        "is another image: if it means the same one, it arrives twice.",
        (
            "use the systemName of before: --system-name NAME",
            "nothing to do, if the two archives merely use the same ids",
        ),
    ),
    "new-system-name": Explanation(
        "a systemName that was never used here, where another one always was",
        "The state file knows images of this target under another name only. The same archive "
        "under a new name would be imported a second time.",
        (
            "use the systemName of before: --system-name NAME",
            "nothing to do, if this is another archive",
        ),
    ),
}
CODES: Mapping[str, Explanation] = {**CHECKS, **_IDENTITY}
"""Those of the checks, and those that need the state file."""
