"""``/openapi.json`` is true: schemathesis asks what it promises, with all of its checks."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from served import TOKEN, an_origin, image, served

from ldimport import wire
from ldimport.api_versions import versions
from ldimport.engine.access_tokens import TokenScope
from ldimport.model import MAX_CONTEXT_BYTES, ImageType, Result, Status
from ldimport.server import imports
from ldimport.server.responses import PHRASES
from ldimport.wire import Dialect, encode


def keeps_the_rules(case: Any) -> bool:
    """Whether a generated request keeps what the description says in words only."""
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("images"), list):
        ids = [str(each.get("id")) for each in body["images"] if isinstance(each, dict)]
        if len(ids) != len(set(ids)):
            return False
    if isinstance(body, dict) and isinstance(body.get("context"), dict):
        return len(encode(body["context"])) <= MAX_CONTEXT_BYTES
    if "{version}/mediaLibrary/{id}" in case.operation.path:  # versions taken over from other paths
        return "2026-03" <= str(case.path_parameters.get("version", "")) < "3"
    return True


VERSIONS = versions(time.time())

SETTINGS = {
    "headers": {"Authorization": f"Bearer {TOKEN}"},
    "generation": {"max-examples": 40, "database": "none"},
    "seed": 1,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_schemathesis_finds_nothing_wrong(tmp_path: Path) -> None:
    import schemathesis  # takes a second, which only the slow suite spends
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    config = SchemathesisConfig.from_dict(SETTINGS)
    with an_origin() as origin, served(tmp_path / "engine", allow=(origin.host,)) as api:
        api.ended(api.start(image("1", origin.url("1.jpg"))))
        schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json", config=config)

        @schema.hook("filter_case")
        def _(context: Any, case: Any) -> bool:
            return keeps_the_rules(case)

        failures: list[str] = []
        seen: Counter[str] = Counter()
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                seen[event.phase.value] += 1
                for nodes in event.recorder.checks.values():
                    found = [node.failure_info for node in nodes if node.failure_info is not None]
                    failures += [f"{each.failure}\n{each.code_sample}" for each in found]
            elif isinstance(event, events.NonFatalError | events.FatalError):
                failures.append(str(event))
    assert not failures, "\n\n".join(dict.fromkeys(failures))
    assert {"coverage", "fuzzing", "stateful"} <= set(seen), seen


def test_the_description_names_what_this_server_has(quiet: Any) -> None:
    found = quiet.http.get("/proxy/api/openapi.json", headers={"Authorization": ""}).json()
    components = found["components"]
    image_ = components["schemas"]["ImportImage"]
    assert found["servers"] == [{"url": "/proxy/api"}]
    assert image_["properties"]["mediaType"]["enum"] == ["image", None]
    assert components["parameters"]["version"]["schema"]["enum"] == list(VERSIONS)
    assert "500000 bytes" in found["paths"]["/api/{version}/import/images"]["post"]["summary"]


@pytest.mark.parametrize("dialect", [None, *Dialect])
def test_results_are_described_in_the_dialects_that_are_spoken(dialect: Dialect | None) -> None:
    schemas: Any = imports.document("", ["image"], 1, dialect, VERSIONS)["components"]["schemas"]  # type: ignore[index,call-overload]
    lists = schemas["JobSuccess"]["properties"]["images"]["anyOf"]
    spoken = {each["items"]["$ref"].partition("Result-")[2] for each in lists}
    assert spoken == ({dialect} if dialect else {Dialect.SEED, Dialect.V2026_08})
    for each in Dialect:
        described = schemas[f"Result-{each}"]
        for status in Status:
            result = Result("a", status, "A", "no", None, "s", "origin-503", True)
            body = wire.result_to_json(result, each, "s")
            assert set(described["required"]) <= set(body) <= set(described["properties"])


def test_words_of_the_file_are_those_of_the_code() -> None:
    text = json.dumps(imports.document("", ["image"], 1, None, VERSIONS))
    scopes = set(re.findall(r"scope `([^`]+)`", text))
    assert scopes == set(TokenScope) and f"at most {MAX_CONTEXT_BYTES} bytes" in text
    found: Any = imports.document("", ["image"], 1, None, VERSIONS)["components"]
    assert found["schemas"]["MimeType"]["enum"] == [kind.mime for kind in ImageType]
    for status, response in found["responses"].items():
        assert response["description"] == PHRASES[int(status)]
