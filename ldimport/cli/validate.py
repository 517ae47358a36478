"""``ldimport validate``: check a manifest against the project config; nothing is sent."""

from __future__ import annotations

MOST_PROBLEMS = 1_000
