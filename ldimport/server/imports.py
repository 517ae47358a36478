"""The API's two endpoints of imports, ``POST import/images`` and ``GET import/images/status``, and
what belongs to the server as a whole: project config, health, its own description."""

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from starlette.responses import Response

from ldimport import __version__, wire
from ldimport.api_versions import versions
from ldimport.model import Json
from ldimport.net.guard import without_kind
from ldimport.request_check import request_from_json
from ldimport.server import body
from ldimport.server.endpoint import Call, Version
from ldimport.server.responses import DAMAGED, Refusal, answer
from ldimport.wire import Dialect

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def start(call: Call) -> Response:
    """Accept a batch: 200 with its job id once it is durable. A request may prefer (RFC 7240)
    ``handling=lenient`` or ``strict`` to what the server does by itself."""
    key = call.request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Refusal(400, {"Idempotency-Key": "must be 1 to 255 visible ASCII characters"})
    batch = request_from_json(body.parse(call.body))
    options, wish = call.engine.options, _handling(call)
    if wish is not None:
        options = replace(options, lenient=wish == "lenient")
    job_id = call.engine.submit(batch, key, options, checked=True)
    told = ", lenient" if options.lenient else ""
    call.request.state.note = f"job {job_id}, {len(batch.images)} images{told}"
    headers = {} if wish is None else {"Preference-Applied": f"handling={wish}"}
    return answer({"id": job_id}, headers=headers)


def _handling(call: Call) -> str | None:
    """What the request prefers, if it is one of the two; the first one counts."""
    for said in ",".join(call.request.headers.getlist("prefer")).split(","):
        name, _, value = said.partition(";")[0].partition("=")
        wish = value.strip().strip('"').lower()
        if name.strip().lower() == "handling":
            return wish if wish in ("lenient", "strict") else None
    return None


def status(call: Call) -> Json:
    """State and results of a job; an unknown one is ``lost``. To what kind of network a refused
    address leads, the log says and the answer does not."""
    dialect = call.options.dialect or wire.Dialect.of_version(call.version.name)
    job = call.engine.status(call.required("id"))
    results = list(job.results)
    for n, each in enumerate(results):
        if each.reason and (said := without_kind(each.reason)) != each.reason:
            results[n] = replace(each, reason=said)
            call.request.state.note = each.reason
    return wire.status_to_json(replace(job, results=tuple(results)), dialect)


def config(call: Call) -> Json:
    """The project config in force."""
    return call.engine.config.raw


def health(call: Call) -> Json:
    """Whether the catalogue is sound, as far as it was read, and open images move; 503 when one is
    not so."""
    stalled, oldest = call.engine.stalled()
    wrong = "damaged" if call.engine.damaged else "stalled" if stalled else ""
    found: dict[str, Json] = {
        "status": wrong or "ok",
        "version": __version__,
        "busy": call.engine.has_open(),
        "oldestLeaseSeconds": oldest,
    }
    if wrong:
        told = {"stalled": "open images wait, and nothing moves"}.get(wrong, DAMAGED)
        raise Refusal(503, told, body=found)
    return found


def description(call: Call) -> Json:
    """OpenAPI description of this very server."""
    prefix, types = call.request.scope["root_path"], tuple(call.engine.config.media_types)
    known = versions(call.engine.now())
    return document(prefix, types, call.options.body_limit, call.options.dialect, known)


@cache
def _template() -> Any:
    return yaml.safe_load(files("ldimport.server").joinpath("openapi.yaml").read_text())


def document(
    prefix: str,
    media_types: Sequence[str],
    body_limit: int,
    dialect: Dialect | None,
    known: Sequence[str],
) -> dict[str, Json]:
    """The description; ``prefix`` is the path it was asked for below, ``dialect`` a forced one,
    ``known`` are the API versions there are."""
    found = deepcopy(_template())
    schemas = found["components"]["schemas"]
    found["info"]["version"] = __version__
    found["servers"] = [{"url": prefix or "/"}]
    found["components"]["parameters"]["version"]["schema"]["enum"] = list(known)
    start = found["paths"]["/api/{version}/import/images"]["post"]
    start["summary"] += f" The body has at most {body_limit} bytes."
    schemas["ImportImage"]["properties"]["mediaType"]["enum"] = [*media_types, None]
    spoken = {Dialect.of_version(each) for each in known} if dialect is None else {dialect}
    schemas["JobSuccess"]["properties"]["images"]["anyOf"] = [
        {"type": "array", "items": {"$ref": f"#/components/schemas/Result-{each.value}"}}
        for each in sorted(spoken)
    ]
    _describe_older_patches(found["paths"], [Version(each) for each in known])
    return dict(found)


def _describe_older_patches(paths: dict[str, Any], known: Sequence[Version]) -> None:
    """PATCH of versions without ``preserveUpdatedAt`` stands at paths of their own."""
    general = "/api/{version}/mediaLibrary/{id}"
    operations = paths[general]
    media_id = operations["parameters"][1]
    newer = [each.name for each in known if each.preserves_updated_at]
    version = deepcopy(_template()["components"]["parameters"]["version"])
    version["schema"]["enum"] = newer
    operations["parameters"] = [version, media_id]
    for each in known:
        if each.name not in newer:
            older = deepcopy(operations) | {"parameters": [media_id]}
            for method in ("get", "patch"):
                older[method]["operationId"] += f"-{each.name}"
            content = older["patch"]["requestBody"]["content"]["application/json"]
            content["schema"]["$ref"] += "Before"
            paths[general.replace("{version}", each.name)] = older
