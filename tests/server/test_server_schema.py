"""``/openapi.json`` is true: schemathesis asks what it promises, with all of its checks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from served import TOKEN, an_origin, image, served

from ldimport.model import MAX_CONTEXT_BYTES, Json
from ldimport.wire import encode


def keeps_the_rules(case: Any) -> bool:
    """Whether a generated request keeps what the description says in words only."""
    body, query = case.body, case.query or {}
    if isinstance(body, dict) and isinstance(body.get("images"), list):
        ids = [str(each.get("id")) for each in body["images"] if isinstance(each, dict)]
        if len(ids) != len(set(ids)):
            return False
    if isinstance(body, dict) and isinstance(body.get("context"), dict):
        return len(encode(body["context"])) <= MAX_CONTEXT_BYTES
    if isinstance(body, dict) and "preserveUpdatedAt" in body:
        return "2026-03" <= str(case.path_parameters.get("version", "")) < "3"
    if case.operation.path.endswith("/mediaLibrary"):
        return "ids" in query or {"externalId", "systemName"} <= set(query)
    return True


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
    image_ = found["components"]["schemas"]["ImportImage"]
    versions: Json = found["paths"]["/api/{version}/projectConfig"]["get"]["parameters"][0]
    assert found["servers"] == [{"url": "/proxy/api"}]
    assert image_["properties"]["mediaType"]["enum"] == ["image", None]
    assert versions["schema"]["enum"][0] == "v1"  # type: ignore[index,call-overload]
