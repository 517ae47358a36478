"""What the client makes of good answers, in every generation of the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from scripted_server import Reply, ScriptedServer

from ldimport import wire
from ldimport.client import LivingdocsClient
from ldimport.errors import ConfigError, RefusedError
from ldimport.model import Image, ImportRequest, JobState, Status

CAT = Image("123abc", "https://nerdcore.de/cat1.jpeg", "foo", {"caption": "bär 🐻"})
ASSET = {
    "mediaId": "jjiwhsf23kdk",
    "originalUrl": "https://server.livingdocs.io/api/v1/images/truck?id=MQk=",
    "url": "https://server.livingdocs.io/api/v1/images/truck?id=MQk=?format=auto",
    "width": 100,
    "height": 100,
    "mimeType": "image/png",
    "imageService": "imgix",
}


def finished(word: str, imported: str) -> dict[str, Any]:
    images: list[dict[str, Any]] = [
        {word: imported, "externalId": "e-1", "image": ASSET},
        {word: "skipped", "reason": "already exists", "externalId": "e-2", "image": ASSET},
        {word: "failed", "reason": "Could not upload image", "externalId": "e-3"},
    ]
    for each in images:
        each.update({"title": "t"} if word == "status" else {"systemName": "sys"})
    return {"finished": True, "state": "success", "id": "25bzj8j", "images": images}


@pytest.mark.parametrize("media_type", [None, "image"])  # T01, T02
def test_submit_sends_the_seeds_request_and_returns_the_job_id(
    client: LivingdocsClient, server: ScriptedServer, media_type: str | None
) -> None:
    server.script(Reply(body={"id": "25bzj8j"}))
    image = Image(CAT.id, CAT.url, CAT.file_name, CAT.metadata, media_type)
    request = ImportRequest("sys", (image,), "https://my.example/hook", {"mine": 1})

    assert client.submit(request, "key-1") == "25bzj8j"

    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/api/v1/import/images")
    body = json.loads(seen.body)
    assert body["images"][0].get("mediaType") == media_type
    assert body["context"] == {"mine": 1}
    assert body["images"][0]["metadata"]["caption"] == "bär 🐻"
    assert seen.headers["idempotency-key"] == "key-1"
    assert seen.headers["content-type"] == "application/json; charset=utf-8"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["authorization"] == "Bearer li-token-Zx81-never-shown"
    assert seen.headers["user-agent"].startswith("ldimport/")


def test_entries_are_sent_as_they_were_rendered(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    server.script(Reply(body={"id": "1"}), Reply(body={"id": "2"}))
    request = ImportRequest("sys", (CAT,))
    client.submit(request)
    client.submit(replace(request, bodies=(b'{"as":"it was"}',)))
    plain, joined = (seen.body for seen in server.seen)
    assert plain == wire.request_body(request) and json.loads(plain)["images"][0]["id"] == CAT.id
    assert joined == b'{"images":[{"as":"it was"}],"systemName":"sys"}'


def test_submit_without_a_key_makes_one_up_for_each_batch(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    server.script(Reply(body={"id": "a"}))
    client.submit(ImportRequest("sys", (CAT,)))
    client.submit(ImportRequest("sys", (CAT,)))
    first, second = (seen.headers["idempotency-key"] for seen in server.seen)
    assert len(first) >= 32
    assert first != second


def test_without_a_token_no_authorization_is_sent(
    make_client: Callable[..., LivingdocsClient], server: ScriptedServer
) -> None:
    server.script(Reply(body={"id": "a"}))
    make_client(token=None).submit(ImportRequest("sys", (CAT,)))
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        ("/proxy/api", "v1", "/proxy/api/api/v1/import/images/status?id=x"),  # T41
        ("/", "v1", "/api/v1/import/images/status?id=x"),  # T42
        ("", "2026-07", "/api/2026-07/import/images/status?id=x"),
    ],
)
def test_paths_are_appended_to_the_base_url(
    make_client: Callable[..., LivingdocsClient],
    server: ScriptedServer,
    path: str,
    version: str,
    expected: str,
) -> None:
    server.script(Reply(body={"finished": True, "state": "failed", "id": "x"}))
    make_client(path, api_version=version).status("x")
    assert server.seen[0].path == expected


def test_a_job_id_is_escaped(client: LivingdocsClient, server: ScriptedServer) -> None:
    server.script(Reply(body={"finished": True, "state": "failed", "id": "x"}))
    client.status("a b&id=c/ü")
    assert parse_qs(server.seen[0].path.split("?")[1]) == {"id": ["a b&id=c/ü"]}


def test_a_running_job(client: LivingdocsClient, server: ScriptedServer) -> None:  # T03
    body = {"finished": False, "state": "started", "id": "j", "startedAt": "2020-01-01 13:45:12"}
    server.script(Reply(body=body))
    job = client.status("j")
    assert (job.state, job.started_at) == (JobState.STARTED, "2020-01-01 13:45:12")
    assert not job.finished


@pytest.mark.parametrize(
    "dialect",
    [("status", "success"), ("state", "success"), ("state", "imported")],  # T05, T06, T07
    ids=["seed", "2025-03", "2026-08"],
)
def test_every_dialect_of_a_finished_job_reads_the_same(  # T04, T08
    client: LivingdocsClient, server: ScriptedServer, dialect: tuple[str, str]
) -> None:
    server.script(Reply(body=finished(*dialect)))
    job = client.status("25bzj8j")
    assert (job.state, job.finished) == (JobState.SUCCESS, True)
    found = [(r.external_id, r.status, r.reason, r.asset and r.asset.media_id) for r in job.results]
    assert found == [
        ("e-1", Status.SUCCESS, None, "jjiwhsf23kdk"),
        ("e-2", Status.SKIPPED, "already exists", "jjiwhsf23kdk"),
        ("e-3", Status.FAILED, "Could not upload image", None),
    ]
    assert job.results[0].asset is not None
    assert job.results[0].asset.url == ASSET["url"]


def test_a_failed_job_has_no_images(client: LivingdocsClient, server: ScriptedServer) -> None:
    server.script(Reply(body={"finished": True, "state": "failed", "id": "098shjhv9"}))  # T09
    job = client.status("098shjhv9")
    assert (job.state, job.results, job.finished) == (JobState.FAILED, (), True)


def test_an_unknown_job_is_lost_and_ends(client: LivingdocsClient, server: ScriptedServer) -> None:
    text = 'no import job found for id "x"'
    server.script(Reply(body={"finished": False, "state": "lost", "id": text}))  # T10
    job = client.status("x")
    assert (job.id, job.state, job.finished) == ("x", JobState.LOST, True)


def test_a_server_that_answers_404_for_an_unknown_job_loses_it_too(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    details = {"name": "NotFound", "message": "no such job"}
    body = {"status": 404, "error": "Not Found", "error_details": details}
    server.script(Reply(404, body))
    assert client.status("x").state is JobState.LOST


@pytest.mark.parametrize("body", [{"id": ""}, {"id": 7}, {"jobId": "x"}, [], "x", None, 5])
def test_a_success_without_a_job_id_is_an_unexpected_answer(
    client: LivingdocsClient, server: ScriptedServer, body: Any
) -> None:
    server.script(Reply(body=body))
    with pytest.raises(ConfigError, match="other than a job id") as caught:
        client.submit(ImportRequest("sys", (CAT,)))
    assert caught.value.code == "unexpected-answer"


@pytest.mark.parametrize("body", [[], {}, {"state": 5}, {"finished": True}, "lost"])
def test_json_that_is_no_status_is_an_unexpected_answer(
    client: LivingdocsClient, server: ScriptedServer, body: Any
) -> None:
    server.script(Reply(body=body))
    with pytest.raises(ConfigError) as caught:
        client.status("x")
    assert caught.value.code == "unexpected-answer"


# -- project config and media library -------------------------------------------------------


def test_the_project_config_is_asked_once_and_remembered(
    client: LivingdocsClient, server: ScriptedServer
) -> None:
    config = {"v": 2, "$baseRevision": 28, "mediaTypes": []}
    server.script(Reply(body=config))
    assert client.project_config() == client.project_config() == config
    assert [seen.path for seen in server.seen] == ["/api/v1/projectConfig"]
    client.project_config(refresh=True)
    assert len(server.seen) == 2


@pytest.mark.parametrize("key", ["mediaLibraryEntries", "results"])  # T31, T32
def test_an_entry_is_found_under_either_name_of_the_list(
    client: LivingdocsClient, server: ScriptedServer, key: str
) -> None:
    asset = {"url": "https://img/x.jpg", "mimeType": "image/jpeg", "width": 3, "height": 2}
    entry = {"id": "PNIi08x4UdEA", "version": 36, "mediaType": "image", "asset": asset,
             "metadata": {"title": "t"}, "systemName": "sys", "externalId": "ex-1"}  # fmt: skip
    server.script(Reply(body={key: [entry]}))
    found = client.find("sys", "ex-1")
    assert server.seen[0].path == "/api/v1/mediaLibrary?externalId=ex-1&systemName=sys"
    assert found is not None
    assert (found.id, found.version, found.metadata) == ("PNIi08x4UdEA", 36, {"title": "t"})
    assert found.asset.media_id == "PNIi08x4UdEA"
    assert (found.asset.url, found.asset.original_url) == ("https://img/x.jpg",) * 2
    assert (found.asset.width, found.asset.mime_type) == (3, "image/jpeg")


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"id": "m", "externalId": "other", "systemName": "sys"}],
        [{"id": "m", "externalId": "ex-1", "systemName": "other"}],
        ["nonsense", {"no": "id"}],
    ],
)
def test_what_has_another_identity_is_not_found(
    client: LivingdocsClient, server: ScriptedServer, entries: list[Any]
) -> None:
    server.script(Reply(body={"results": entries}))
    assert client.find("sys", "ex-1") is None


def test_patching_an_entry(client: LivingdocsClient, server: ScriptedServer) -> None:  # T34
    server.script(Reply(body={"status": 200}))
    patch = {"operation": "setMetadataProperty", "propertyName": "title", "value": None}
    client.patch_media("a/b", [patch], version=36)
    assert (server.seen[0].method, server.seen[0].path) == ("PATCH", "/api/v1/mediaLibrary/a%2Fb")
    assert json.loads(server.seen[0].body) == {"patches": [patch], "version": 36}


@pytest.mark.parametrize(
    ("status", "details", "code"),
    [
        (409, {"message": "Version: Expected 36 to be equal to 1"}, "conflict"),  # T35
        (400, {"patches.0.operation": 'No enum match for: "nope"'}, "bad-request"),  # T36
        (404, {"name": "NotFound", "message": "MediaLibrary Entry does not exist"}, "not-found"),
    ],  # T37
)
def test_a_refused_patch_says_why(
    client: LivingdocsClient,
    server: ScriptedServer,
    status: int,
    details: dict[str, str],
    code: str,
) -> None:
    server.script(Reply(status, {"status": status, "error": "x", "error_details": details}))
    with pytest.raises(RefusedError) as caught:
        client.patch_media("m", [{"operation": "nope"}], version=1)
    assert caught.value.code == code
    assert list(details.values())[-1] in caught.value.message
    assert len(server.seen) == 1
