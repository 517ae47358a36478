"""What codes mean and what to do, for ``ldimport explain CODE``: a package that finds problems
explains its codes in a ``codes.toml`` beside its modules; the one at the top of the tree explains
errors, notices and what only reports say. Causes of failures explain themselves (``causes``)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from ldimport.errors import ExitCode

_FROM = ("ldimport.manifest", "ldimport.schema", "ldimport.migration")


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
        code: Explanation(**{**each, "fix": tuple(each["fix"])}) for code, each in found.items()
    }


CODES: Mapping[str, Explanation] = {
    code: each for package in _FROM for code, each in explanations(package).items()
}
"""Problems in a manifest: of the readers, of the checks, and those that need the state file."""
OTHERS: Mapping[str, Explanation] = explanations("ldimport")
"""Errors that end a command, and notices. Some share their word with a problem or a cause."""
EXITS: Mapping[str, Explanation] = {
    str(int(code)): Explanation(
        code.word, f"Exit code {code:d}: {code.meaning}.", (f"for cron: {code.cron}",)
    )
    for code in ExitCode
}
"""Exit codes, which logs and reports name by their number."""
