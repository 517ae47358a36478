"""From settings to a target: the embedded engine, or Livingdocs over HTTP."""

from __future__ import annotations

from pathlib import Path

from ldimport.errors import AuthError
from ldimport.schema.config import ProjectConfig
from ldimport.targets.base import Target

EMBEDDED = "embedded"


def open_target(
    place: str,
    *,
    engine: Path,
    config: ProjectConfig | None = None,
    token: str | None = None,
    api_version: str = "v1",
    insecure: bool = False,
    workers: int | None = None,
) -> Target:
    """Open the target at ``place``: ``embedded``, with the engine in folder ``engine`` and the
    project ``config`` it checks against, or a base URL with a ``token``. ``workers`` processes
    carry out the engine's images, by default one per core. Raises AuthError without a token."""
    if place == EMBEDDED:
        from ldimport.engine import Engine
        from ldimport.targets.embedded import EmbeddedTarget

        return EmbeddedTarget(Engine(engine, project_config=config), workers)
    if not token:
        raise AuthError(
            f"there is no token for {place}",
            hint="put it into the environment: LDIMPORT_TOKEN=…, or name a file with tokenFile",
            code="no-token",
        )
    from ldimport.client import LivingdocsClient
    from ldimport.targets.livingdocs import LivingdocsTarget

    return LivingdocsTarget(
        LivingdocsClient(place, token, api_version=api_version, insecure=insecure)
    )
