"""The server's description of itself: ``openapi.yaml``, with what this server has filled in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import yaml

from ldimport import __version__
from ldimport.model import Json
from ldimport.server.versions import VERSIONS
from ldimport.wire import Dialect


def document(
    prefix: str, media_types: Sequence[str], body_limit: int, dialect: Dialect | None
) -> dict[str, Json]:
    """The description; ``prefix`` is the path it was asked for below, ``dialect`` a forced one."""
    found: Any = yaml.safe_load(files("ldimport.server").joinpath("openapi.yaml").read_text())
    schemas = found["components"]["schemas"]
    found["info"]["version"] = __version__
    found["servers"] = [{"url": prefix or "/"}]
    found["components"]["parameters"]["version"]["schema"]["enum"] = list(VERSIONS)
    start = found["paths"]["/api/{version}/import/images"]["post"]
    start["summary"] += f" The body has at most {body_limit} bytes."
    schemas["ImportImage"]["properties"]["mediaType"]["enum"] = [*media_types, None]
    spoken = {Dialect.of_version(each) for each in VERSIONS} if dialect is None else {dialect}
    schemas["JobSuccess"]["properties"]["images"]["anyOf"] = [
        {"type": "array", "items": {"$ref": f"#/components/schemas/Result-{each.value}"}}
        for each in sorted(spoken)
    ]
    return dict(found)
