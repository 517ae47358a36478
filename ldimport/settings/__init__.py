"""What is in force: flag, environment, project file, user file, ``.livingdocs-cli``, default.

Nothing is read but what is handed in and the files it leads to; tokens are read on first use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.credentials import MASK, Secret
from ldimport.model import Json
from ldimport.settings.values import EMBEDDED, SETTINGS
from ldimport.url import without_secrets

if TYPE_CHECKING:
    from ldimport.settings.checking import SettingFinding

__all__ = ["EMBEDDED", "Secret", "SettingRow", "Settings", "check", "describe", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings after every source was weighed; ``values.SETTINGS`` says how each is given.

    ``target`` is ``embedded`` or a base URL; ``sources`` says in words where each setting comes
    from, by its name in the config file (``systemName``, ``token``).
    """

    profile: str | None
    target: str
    api_version: str
    system_name: str | None = None
    project_config: Path | None = None
    state: Path
    engine: Path
    allow_hosts: tuple[str, ...] = ()
    base_url: str | None = None
    webhook: str | None = None
    context: Mapping[str, Json] | None = None
    manifest: Mapping[str, Json] = field(default_factory=dict)
    insecure: bool = False
    token: Secret | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether images go to the embedded engine."""
        return self.target == EMBEDDED


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of ``config show``; secrets are masked in ``value``, "" means not set."""

    key: str
    value: str
    source: str


def load(
    flags: Mapping[str, object],
    *,
    near: Path | None = None,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path | None = None,
) -> Settings:
    """Weigh all sources. ``flags`` holds options by the names in ``Settings``, and ``config``;
    None, False and empty lists count as not given. The project file is looked for upwards from
    ``near`` (the manifest's folder), then from ``cwd``. ``home`` replaces the user's own folders,
    for tests.

    Raises UsageError for a wrong flag, an unknown profile or a missing ``--config`` file, and
    ConfigError for what is wrong in a variable or a file.
    """
    from ldimport.settings.loading import Loading

    return Loading(flags, near, environ, cwd, home).settings()


def describe(settings: Settings) -> list[SettingRow]:
    """What is in force and where it comes from, in the order of the config file."""
    shown = {"profile": settings.profile or ""}
    shown |= {each.key: _shown(getattr(settings, each.name)) for each in SETTINGS}
    shown |= {key: shown[key] and without_secrets(shown[key]) for key in ("baseUrl", "webhook")}
    shown["token"] = "" if settings.token is None else MASK
    return [SettingRow(key, value, settings.sources.get(key, "")) for key, value in shown.items()]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool | Mapping):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


def check(settings: Settings) -> list[SettingFinding]:
    """Try address, token and scopes without sending anything, for ``config check``.

    An HTTP target is asked three questions (project config, a job that does not exist, a media
    entry that does not exist); what is wrong is told by the findings, never raised."""
    from ldimport.settings.checking import findings

    return findings(settings)
