"""What problem codes mean and how to fix them: each package that finds problems explains its codes
in a ``codes.toml`` beside its modules."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Explanation:
    """``title`` in a few words, ``meaning`` in a paragraph, ``fix``: ways out, the best first."""

    title: str
    meaning: str
    fix: tuple[str, ...]


def explanations(package: str) -> dict[str, Explanation]:
    """By code: what a package explains."""
    found = tomllib.loads(resources.files(package).joinpath("codes.toml").read_text("utf-8"))
    return {
        code: Explanation(each["title"], each["meaning"], tuple(each["fix"]))
        for code, each in found.items()
    }
