"""A served engine obeys its ``engine:`` block, and lenient is lenient there as elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from served import CONFIG, STATUS, Api, Origin, batch, client, image, picture, process

BLOCK: dict[str, Any] = {
    "limits": {"pixels": 2_000, "body": 2_000},
    "formats": ["jpg"],
    "nulls": "refuse",
    "keyInResults": True,
    "publicUrl": "https://pictures.example",
    "variants": "auto",
}
LONG = {"caption": "x" * 41}


@pytest.mark.parametrize("way", ["config", "profile-file"])
def test_a_served_engine_obeys_its_block(tmp_path: Path, origin: Origin, way: str) -> None:
    body = {"engine": BLOCK, "userAgent": "archive-bot"} if way == "config" else BLOCK
    (tmp_path / "rules.yaml").write_text(json.dumps(body))
    options = ("--port", "0", "--workers", "1", "--integrity", "fast", "--allow-host", origin.host,
               f"--{way}", "rules.yaml")  # fmt: skip
    good = origin.put("a.jpg", picture(size=(40, 30)))
    images = (
        image("good", good),
        image("png", origin.put("b.png", picture("PNG"))),
        image("large", origin.put("c.jpg", picture(size=(50, 50)))),
        image("null", good, metadata={"caption": None}),
    )
    with process(tmp_path, *options) as running, client(running.url) as http:
        api = Api(running.url, http)
        results = {each["externalId"]: each for each in api.ended(api.start(*images))["images"]}
        found = {name: each.get("cause") for name, each in results.items()}
        assert found == {"good": None, "png": "png-not-accepted", "large": "too-many-pixels",
                         "null": "invalid-metadata"}  # fmt: skip
        shown = results["good"]["image"]
        assert shown["url"] == shown["originalUrl"] + "&auto=format"
        assert shown["url"].startswith("https://pictures.example/api/v1/images/")
        assert shown["key"] in api.get("/api/v1/mediaLibrary", ids=shown["mediaId"]).text
        path = shown["url"].removeprefix("https://pictures.example")
        assert http.get(path).headers["content-type"] == "image/jpeg"
        too_long = api.post(batch(image("1", good, fileName="x" * 900), image("2", good),
                                  image("3", good, fileName="y" * 900)))  # fmt: skip
        assert too_long.status_code == 413 and "2000 bytes" in too_long.text


def test_a_request_may_prefer_to_be_lenient(api: Api, origin: Origin) -> None:
    asked = batch(image("1", origin.url("1.jpg"), metadata=LONG))
    strict = api.post(asked)
    assert "preference-applied" not in strict.headers
    (refused,) = api.ended(strict.json()["id"])["images"]
    assert refused["cause"] == "invalid-metadata"
    lenient = api.post(asked, Prefer="respond-async, handling=lenient")
    assert lenient.headers["preference-applied"] == "handling=lenient"
    (taken,) = api.ended(lenient.json()["id"])["images"]
    assert taken["status"] == "success"


@pytest.mark.parametrize("said", ["handling=loose", "handling", "lenient", ""])
def test_a_preference_that_is_none_changes_nothing(api: Api, origin: Origin, said: str) -> None:
    asked = batch(image(said or "0", origin.url("1.jpg"), metadata=LONG))
    answer = api.post(asked, Prefer=said)
    assert "preference-applied" not in answer.headers
    assert api.ended(answer.json()["id"])["images"][0]["cause"] == "invalid-metadata"


def test_a_lenient_server_is_strict_for_who_prefers_it(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "project.json").write_text(json.dumps(CONFIG))
    options = ("--port", "0", "--workers", "1", "--allow-host", origin.host, "--lenient",
               *("--project-config", "project.json"))  # fmt: skip
    asked = batch(image("1", origin.url("1.jpg"), metadata=LONG))
    shape = batch(image("2", origin.url("1.jpg"), metadata={"caption": 5}))
    with process(tmp_path, *options) as running, client(running.url) as http:
        api = Api(running.url, http)
        jobs = [api.post(asked, Prefer="handling=strict"), api.post(asked), api.post(shape)]
        found = [api.ended(each.json()["id"], STATUS)["images"][0] for each in jobs]
    assert [each.get("cause") for each in found] == ["invalid-metadata", None, "invalid-metadata"]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_certificates_that_is_none_is_said_at_the_start(
    tmp_path: Path, content: str | None
) -> None:
    (tmp_path / "rules.yaml").write_text("caFile: ca.pem")
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with process(tmp_path, "--port", "0", "--config", "rules.yaml") as running:
        assert running.wait() == 4
    assert "caFile names" in "".join(running.lines) and "ca.pem" in "".join(running.lines)
