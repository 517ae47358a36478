"""What a migration is checked against and how its manifest is read, from settings and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ldimport.errors import UsageError
from ldimport.manifest import ReadOptions
from ldimport.manifest.fields import FieldMap
from ldimport.model import Json
from ldimport.schema import config as schema_config
from ldimport.schema.config import ProjectConfig
from ldimport.schema.jsonschema import media_type_schema
from ldimport.targets.base import Target


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
    maps: Sequence[str] = (),
    sets: Sequence[str] = (),
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ReadOptions:
    """How to read a manifest: ``mapping`` as the config file has it, then ``--map`` and
    ``--set``. Raises ConfigError or UsageError."""
    if delimiter in ("tab", "\\t"):
        delimiter = "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise UsageError(
            f"--delimiter “{delimiter}” is not one character",
            hint="for example: --delimiter ';', or the word tab",
            code="delimiter",
        )
    columns = FieldMap.from_config(mapping).with_map(list(maps)).with_set(list(sets))
    return ReadOptions(encoding, delimiter, columns)


def json_schema(config: ProjectConfig, media_type: str | None) -> dict[str, Json]:
    """JSON Schema (2020-12) of a media type's metadata, by default of the default media type."""
    handle = media_type or config.default_media_type
    if handle not in config.media_types:
        raise UsageError(
            f"the project has no media type “{handle}”",
            hint=f"it has: {', '.join(config.media_types)}",
            code="unknown-media-type",
        )
    return media_type_schema(config, config.media_types[handle])
