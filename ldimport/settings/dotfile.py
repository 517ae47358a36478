"""``.livingdocs-cli``, the dotfile of livingdocs-cli, as the lowest source of settings.

As that tool does, it is looked for in the working folder only and counts only when one of its
environments is named; then its entry is taken as a whole (docs/livingdocs-api.md, "Project
config"). Our ``--profile`` names the environment: ``production``, or ``daily-planet/production``
below ``projects``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ldimport import credentials
from ldimport.settings.files import read_yaml
from ldimport.settings.values import SETTINGS, Layer, Value, Where

NAME = ".livingdocs-cli"


@dataclass(frozen=True, slots=True)
class Dotfile:
    """The environments it holds, by the name our ``--profile`` has for them."""

    path: Path
    environments: Mapping[str, object]
    aliases: Mapping[str, object]

    def layer(self, profile: str) -> Layer:
        """Address and token of one environment; empty when there is none of that name. Raises
        ConfigError for an address that is none."""
        entry = self.environments.get(self.name(profile))
        if not isinstance(entry, Mapping):
            return {}
        source = f"{self.path} ({profile})"
        where = Where(f"{self.path}: {profile}: host", source, self.path.parent, Path.home())
        layer: Layer = {}
        if entry.get("host"):
            layer["target"] = SETTINGS[0].value(entry["host"], where)
        if isinstance(entry.get("token"), str) and entry["token"]:
            layer["token"] = Value(credentials.Secret(entry["token"], source), source)
        return layer

    def name(self, profile: str) -> str:
        """``profile`` with the dotfile's aliases replaced, in each of its parts."""
        parts = (self.aliases.get(part, part) for part in profile.split("/"))
        return "/".join(str(part) for part in parts)

    def __contains__(self, profile: str) -> bool:
        return self.name(profile) in self.environments


def read_dotfile(folder: Path) -> Dotfile:
    """The dotfile in ``folder``; an empty one where there is none. What it holds beside
    environments, projects and aliases is its tool's own business."""
    path = folder / NAME
    if not path.is_file():
        return Dotfile(path, {}, {})
    body = read_yaml(path)
    environments = dict(_mapping(body.get("environments")))
    for project, content in _mapping(body.get("projects")).items():
        for name, entry in _mapping(_mapping(content).get("environments")).items():
            environments[f"{project}/{name}"] = entry
    return Dotfile(path, environments, _mapping(body.get("alias")))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
