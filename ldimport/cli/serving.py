"""The border to the optional server parts: what ``serve`` and ``token`` expect of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from ldimport.errors import ConfigError
from ldimport.model import Json


@dataclass(frozen=True, slots=True)
class Serving:
    """Everything ``ldimport serve`` settles. ``port`` 0: any free one; ``token``: a text that has
    all scopes for this run; ``dialect`` None: by the version in the path; ``polls``: questions
    for a job's state are told as well."""

    engine: Path
    project_config: Path | None
    host: str
    port: int
    workers: int | None
    daily_limit: int
    dialect: str | None
    public_url: str | None
    token: str | None
    allow_hosts: Sequence[str]
    integrity: str
    polls: bool


Told = Callable[[str, Mapping[str, Json]], None]
"""Hears what the server does: ``listening`` (url, port), ``engine`` (what is served),
``request``, ``job``, ``webhook``, ``workers``, ``stopped``, each with its facts in camelCase."""


class Runner(Protocol):
    """``ldimport.server.run``."""

    def run(self, serving: Serving, told: Told) -> None:
        """Serve until a KeyboardInterrupt; ConfigError when the port is taken."""


class Tokens(Protocol):
    """``ldimport.server.auth``: tokens of one engine, stored hashed."""

    def create(self, engine: Path, name: str, scopes: Sequence[str], days: float | None) -> str:
        """A new token, told this once."""

    def tokens(self, engine: Path) -> Sequence[Mapping[str, Json]]:
        """``id, name, scopes, createdAt, expiresAt, revokedAt`` of each."""

    def revoke(self, engine: Path, token_id: str) -> bool:
        """Whether there was such a token; it is refused from now on."""


def runner() -> Runner:
    """The server; ConfigError when its parts are not installed."""
    return cast("Runner", _part("run"))


def tokens() -> Tokens:
    """The token store; ConfigError when the server parts are not installed."""
    return cast("Tokens", _part("auth"))


def _part(name: str) -> object:
    try:
        return import_module(f"ldimport.server.{name}")
    except ImportError as error:
        raise ConfigError(
            "ldimport serve needs the server parts",
            hint="pip install 'ldimport[server]'",
            code="missing-extra",
        ) from error
