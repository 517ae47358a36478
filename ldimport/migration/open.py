"""From settings and options to what a migration works with: the target (the embedded engine, or
Livingdocs over HTTP), the project config, how to read a manifest."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ldimport.authorities import check_ca_file
from ldimport.credentials import Secret
from ldimport.errors import AuthError, UsageError
from ldimport.manifest import ReadOptions
from ldimport.manifest.mapping import FieldMap
from ldimport.model import MAX_BODY_BYTES, REQUESTS_PER_SECOND, Json, Notice, Silence
from ldimport.schema import config as schema_config
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.jsonschema import media_type_schema
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
    ca_file: str | None = None,
    engine_options: Mapping[str, Any] | None = None,
    max_body: int = MAX_BODY_BYTES,
    requests_per_second: float = REQUESTS_PER_SECOND,
    tell: Callable[[Silence | Notice], None] | None = None,
) -> Target:
    """Open the target at ``place``: ``embedded``, with the engine in folder ``engine`` and the
    project ``config`` it checks against, or a base URL with a ``token``.

    ``deadline`` seconds from now nothing is waited for any more from an HTTP target. ``workers``
    processes carry out the engine's images, by default one per core; ``secrets`` sign its
    webhooks. ``engine_options`` are more of ``Engine``'s, and its requests have at most
    ``max_body`` bytes; ``ca_file`` is looked at, and holds for an HTTP target, as do
    ``requests_per_second``. ``tell`` hears that a server does not answer, and when it does again.
    Raises AuthError without a token, ConfigError for a ``ca_file`` that cannot be used."""
    if ca_file is not None:
        check_ca_file(ca_file)
    if place == EMBEDDED:
        from ldimport.engine import Engine
        from ldimport.targets.embedded import EmbeddedTarget

        local = Engine(engine, project_config=config, **(engine_options or {}))
        return EmbeddedTarget(local, workers, secrets, max_body)
    if not token:
        hint = "put it into the environment: LDIMPORT_TOKEN=…, or name a file with tokenFile"
        raise AuthError(f"there is no token for {place}", hint=hint, code="no-token")
    from ldimport.client import LivingdocsClient
    from ldimport.targets.livingdocs import LivingdocsTarget

    ends = math.inf if deadline is None else deadline
    client = LivingdocsClient(
        place,
        token,
        api_version=api_version,
        deadline=ends,
        insecure=insecure,
        ca_file=ca_file,
        tell=tell,
    )
    return LivingdocsTarget(client, requests_per_second)


def identity_of(place: str, engine: Path) -> str:
    """What the state file files images of the target at ``place`` under, without opening it; the
    bare word where the engine's folder has none yet."""
    if place != EMBEDDED:
        return place
    from ldimport.engine.store import identity

    uuid = identity(engine)
    return EMBEDDED if uuid is None else f"{EMBEDDED}:{uuid}"


def project_config(path: Path | None, target: Target | None = None) -> ProjectConfig:
    """The project config in force: the file, else what an HTTP target answers, else the
    documented default. Raises ConfigError with every complaint about a broken one."""
    if path is not None:
        return schema_config.load(path)
    if target is not None and not target.local:
        return schema_config.from_json(target.project_config(), origin=target.label)
    return schema_config.default()


def read_options(
    mapping: Mapping[str, Json],
    *,
    file: str = "",
    maps: Sequence[str] = (),
    sets: Sequence[str] = (),
    map_values: Sequence[str] = (),
    strict_columns: bool = False,
    root: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ReadOptions:
    """How to read a manifest: ``mapping`` as the config ``file`` has it, then the options of the
    command line. Raises ConfigError or UsageError."""
    if delimiter in ("tab", "\\t"):
        delimiter = "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        text = f"--delimiter “{delimiter}” is not one character"
        hint = "for example: --delimiter ';', or the word tab"
        raise UsageError(text, hint=hint, code="delimiter")
    columns = (
        FieldMap.from_config(mapping, file).with_map(maps).with_set(sets).with_values(map_values)
    )
    strict, path = strict_columns or columns.strict, root or columns.root
    columns = replace(columns, strict=strict, root=path)
    return ReadOptions(encoding, delimiter, columns)


def media_type(config: ProjectConfig, handle: str | None) -> MediaType:
    """A media type of the project, by default the default one. Raises UsageError."""
    handle = handle or config.default_media_type
    if handle not in config.media_types:
        text = f"the project has no media type “{handle}”"
        hint = f"it has: {', '.join(config.media_types)}"
        raise UsageError(text, hint=hint, code="unknown-media-type")
    return config.media_types[handle]


def json_schema(config: ProjectConfig, handle: str | None) -> dict[str, Json]:
    """JSON Schema (2020-12) of the metadata of ``media_type``."""
    return media_type_schema(config, media_type(config, handle))
