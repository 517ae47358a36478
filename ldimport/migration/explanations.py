"""What every problem code means and how to fix it, for ``ldimport explain CODE``."""

from __future__ import annotations

from ldimport.schema.explain import CODES, Explanation

__all__ = ["CODES", "Explanation"]
