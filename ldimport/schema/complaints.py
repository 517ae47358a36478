"""What is wrong with a project config, collected so that all of it is said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from ldimport.errors import ConfigError
from ldimport.model import Json

_MOST = 20


class Complaints:
    """Errors and warnings, each with the dotted path of its place."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}
        self.warnings: list[str] = []

    def wrong(self, path: str, text: str) -> None:
        """Something that makes the config useless."""
        self._errors.setdefault(path or "config", text)

    def odd(self, path: str, text: str) -> None:
        """Something worth knowing."""
        self.warnings.append(f"{path}: {text}")

    def objects(self, found: Json, path: str, wanted: str) -> Iterator[tuple[str, dict[str, Json]]]:
        """The objects of a list, each with its path, as they come, so that complaints stand in the
        order of the list; ``wanted``: what each has to be."""
        if found is not None and not isinstance(found, list):
            self.wrong(path, "must be a list")
        for n, each in enumerate(found if isinstance(found, list) else ()):
            if isinstance(each, dict):
                yield f"{path}.{n}", each
            else:
                self.wrong(f"{path}.{n}", f"must be an object with {wanted}")

    def handle(self, found: Json, path: str, pattern: str, taken: Sequence[str] = ()) -> str:
        """A handle, or "" when it is none; ``pattern`` only warns: old projects have others."""
        if not isinstance(found, str) or not found:
            self.wrong(path, "must be a text")
            return ""
        if not re.fullmatch(pattern, found):
            self.odd(path, f"“{found}” is no handle that Livingdocs would accept today")
        if found in taken:
            self.wrong(path, f"“{found}” is used twice")
        return found

    def typos(
        self, found: Mapping[str, Json], path: str, known: Sequence[str], *, wrong: bool = False
    ) -> bool:
        """Keys that look like a known one which is not there; whether there are any."""
        before = len(self._errors) + len(self.warnings)
        for key in found:
            meant = get_close_matches(key, known, n=1, cutoff=0.8) if key not in known else []
            if meant and meant[0] not in found:
                told = self.wrong if wrong else self.odd
                told(f"{path}.{key}" if path else key, f"did you mean {meant[0]}?")
        return len(self._errors) + len(self.warnings) > before

    def raise_any(self, name: str) -> None:
        """Raise ConfigError when there are errors; its facts have the first twenty."""
        if not self._errors:
            return
        (path, text), *more = self._errors.items()
        shown = dict(list(self._errors.items())[:_MOST])
        if len(self._errors) > _MOST:
            shown["…"] = f"and {len(self._errors) - _MOST} more"
        raise ConfigError(
            f"{name}: {len(self._errors)} mistakes" if more else f"{name}: {path} {text}",
            hint="correct the project config, or download it again",
            code="project-config",
            facts=shown if more else None,
        )
