"""What is in force: flag, environment, project file, user file, ``.livingdocs-cli``, default.

Nothing is read but what is handed in and the files it leads to; tokens are read on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.credentials import Secret
from ldimport.model import Json
from ldimport.settings.values import EMBEDDED

if TYPE_CHECKING:
    from ldimport.settings.checking import Finding

__all__ = ["EMBEDDED", "FLAGS", "Row", "Secret", "Settings", "check", "describe", "load"]

FLAGS: Mapping[str, str] = {
    "profile": "--profile",
    "config": "--config",
    "target": "--target",
    "api_version": "--api-version",
    "system_name": "--system-name",
    "project_config": "--project-config",
    "state": "--state",
    "engine": "--engine",
    "allow_hosts": "--allow-host",
    "base_url": "--base-url",
    "webhook": "--webhook",
    "context": "--context",
    "insecure": "--insecure",
}
"""Keys of ``load``'s ``flags``, each with the option it stands for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings after every source was weighed.

    ``target`` is ``embedded`` or a base URL; ``context`` and ``manifest`` are JSON objects as
    the config file has them; ``token_source`` says in words where the token comes from;
    ``sources`` says the same of every setting, by its name in the config file (``systemName``).
    """

    profile: str | None
    target: str
    api_version: str
    system_name: str | None
    project_config: Path | None
    state: Path
    engine: Path
    allow_hosts: tuple[str, ...]
    base_url: str | None
    webhook: str | None
    context: Mapping[str, Json] | None
    token: Secret | None
    token_source: str | None
    manifest: Mapping[str, Json]
    insecure: bool
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether images go to the embedded engine."""
        return self.target == EMBEDDED


@dataclass(frozen=True, slots=True)
class Row:
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
    """Weigh all sources. ``flags`` holds options by the names in ``FLAGS``; None, False and
    empty lists count as not given. The project file is looked for upwards from ``near`` (the
    manifest's folder), then from ``cwd``. ``home`` replaces the user's own folders, for tests.

    Raises UsageError for a wrong flag, an unknown profile or a missing ``--config`` file, and
    ConfigError for what is wrong in a variable or a file.
    """
    from ldimport.settings.loading import Loading

    return Loading(flags, near, environ, cwd, home).settings()


def describe(settings: Settings) -> list[Row]:
    """What is in force and where it comes from, for ``config show``."""
    from ldimport.settings.show import rows

    return rows(settings)


def check(settings: Settings) -> list[Finding]:
    """Try address, token and scopes without sending anything, for ``config check``.

    An HTTP target is asked three questions (project config, a job that does not exist, a media
    entry that does not exist); what is wrong is told by the findings, never raised."""
    from ldimport.settings.checking import findings

    return findings(settings)
