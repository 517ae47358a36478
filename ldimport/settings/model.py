"""All settings in force, and how a person is shown them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ldimport.credentials import MASK, Secret
from ldimport.model import Json
from ldimport.settings.values import EMBEDDED, SETTINGS
from ldimport.url import without_secrets


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
