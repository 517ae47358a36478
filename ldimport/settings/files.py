"""Config files: YAML with line numbers, every key and value checked, profiles or not in use."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ldimport import credentials
from ldimport.settings.values import SETTINGS, Layer, Value, Where, nearest, read_path
from ldimport.settings.yamlfile import Section, read_yaml

_TOKEN_KEYS = ("token", "tokenFile", "tokenCommand")
_IN_FILE = {each.key: each for each in SETTINGS if each.in_file}


class ConfigFile(NamedTuple):
    """A checked file: its settings at the top, and those of each profile."""

    top: Layer
    profiles: Mapping[str | None, Layer]


def read_file(path: Path, home: Path, *, private: bool) -> ConfigFile:
    """Read and check a whole config file, profiles that are not in use included. ``private`` is
    the user's own one, which alone may name a command that prints the token. Raises ConfigError
    with file, line and key."""
    body, reader = read_yaml(path), _FileReader(path, home, private)
    named = body.pop("profiles", None)
    named = Section() if named is None else named
    if not isinstance(named, Section):
        raise reader.where(body, "profiles").error("must be a mapping of names to settings")
    profiles: dict[str | None, Layer] = {
        name: reader.layer(raw, reader.where(named, "profiles", name), "profiles", name)
        for name, raw in named.items()
    }
    return ConfigFile(reader.layer(body, reader.where(body, "")), profiles)


@dataclass(frozen=True, slots=True)
class _FileReader:
    path: Path
    home: Path
    private: bool

    def where(self, section: Section, *keys: str) -> Where:
        """The place of the last key, which stands in ``section``."""
        line = section.lines.get(keys[-1])
        place = f"{self.path}:{line}" if line else str(self.path)
        source = f"{self.path} (profile {keys[1]})" if len(keys) > 2 else str(self.path)
        return Where(f"{place}: {'.'.join(keys)}", source, self.path.parent, self.home)

    def layer(self, section: object, where: Where, *at: str) -> Layer:
        if section is None:
            return {}
        if not isinstance(section, Section):
            raise where.error("must be a mapping of settings")
        found: Layer = {}
        for key, raw in section.items():
            where = self.where(section, *at, key)
            if key in _TOKEN_KEYS:
                if "token" in found:
                    raise where.error("is a second source of the token", "keep one of the two")
                found["token"] = self.token(key, raw, where)
            elif key in _IN_FILE:
                found[key] = _IN_FILE[key].value(raw, where)
            else:
                near = nearest(key, (*_IN_FILE, "profiles", "tokenFile"))
                known = f"known are {', '.join(_IN_FILE)}, profiles"
                raise where.error("is not a setting", f"did you mean {near}?" if near else known)
        return found

    def token(self, key: str, raw: object, where: Where) -> Value:
        if key == "token":
            raise where.error(
                "must not stand in a config file",
                "keep the token in LDIMPORT_TOKEN, or in a file of its own named by tokenFile",
            )
        if key == "tokenCommand":
            return Value(self.command(raw, where), where.source)
        path = read_path(raw, where)
        if not self.private and not path.resolve().is_relative_to(self.path.parent.resolve()):
            raise where.error(
                f"must name a file below {self.path.parent}",
                "set LDIMPORT_TOKEN_FILE, or name it in your own config file",
            )
        return Value(credentials.from_file(path), where.source)

    def command(self, raw: object, where: Where) -> credentials.Secret:
        if not self.private:
            raise where.error("is read from your own config file only, never from a project's")
        try:
            words = shlex.split(raw) if isinstance(raw, str) else raw
        except ValueError as error:
            raise where.error(f"cannot be split into words: {error}") from None
        if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
            raise where.error("must be a command line, as a text or a list of words")
        return credentials.from_command(words, where.name)
