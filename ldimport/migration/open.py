"""From settings to a target: the embedded engine, or Livingdocs over HTTP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ldimport.credentials import Secret
from ldimport.errors import AuthError
from ldimport.schema.config import ProjectConfig
from ldimport.targets.base import Target

EMBEDDED = "embedded"


def open_target(
    place: str,
    *,
    engine: Path,
    config: ProjectConfig | None = None,
    token: Secret | str | None = None,
    api_version: str = "v1",
    insecure: bool = False,
    deadline: float | None = None,
    workers: int | None = None,
    secrets: Sequence[str] = (),
) -> Target:
    """Open the target at ``place``: ``embedded``, with the engine in folder ``engine`` and the
    project ``config`` it checks against, or a base URL with a ``token``.

    ``deadline`` seconds from now nothing is waited for any more from an HTTP target. ``workers``
    processes carry out the engine's images, by default one per core; ``secrets`` sign its
    webhooks. Raises AuthError without a token."""
    if place == EMBEDDED:
        from ldimport.engine import Engine
        from ldimport.targets.embedded import EmbeddedTarget

        return EmbeddedTarget(Engine(engine, project_config=config), workers, secrets)
    if not token:
        raise AuthError(
            f"there is no token for {place}",
            hint="put it into the environment: LDIMPORT_TOKEN=…, or name a file with tokenFile",
            code="no-token",
        )
    from ldimport.client import LivingdocsClient
    from ldimport.targets.livingdocs import LivingdocsTarget

    ends = math.inf if deadline is None else deadline
    return LivingdocsTarget(
        LivingdocsClient(place, token, api_version=api_version, deadline=ends, insecure=insecure)
    )
