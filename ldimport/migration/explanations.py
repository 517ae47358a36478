"""What every problem code means and how to fix it, for ``ldimport explain CODE``."""

from __future__ import annotations

from collections.abc import Mapping

from ldimport.explanations import Explanation, explanations

_FROM = ("ldimport.manifest", "ldimport.schema", "ldimport.migration")
CODES: Mapping[str, Explanation] = {
    code: each for package in _FROM for code, each in explanations(package).items()
}
"""Those of the readers, of the checks, and those that need the state file."""
