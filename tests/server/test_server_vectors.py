"""The conformance vectors T01 to T47 of the fact sheet, as far as they concern a server."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from served import (
    IMPORT,
    STATUS,
    TOKEN,
    Api,
    Origin,
    Receiver,
    batch,
    client,
    image,
    picture,
    served,
    until,
)

from ldimport.api_versions import versions
from ldimport.client import LivingdocsClient
from ldimport.engine import access_tokens
from ldimport.engine.access_tokens import TokenScope
from ldimport.model import JobState, Json, Status
from ldimport.wire import Dialect

SEED: dict[str, Json] = {
    "systemName": "identifier-for-your-system",
    "webhook": "https://my-domain.example/webhooks/image-import",
    "context": {"myIdentifier": "some-identifier-sent-to-the-webhook"},
    "images": [
        {
            "url": "https://images.example/cat1.jpeg",
            "id": "123abc",
            "fileName": "foo",
            "metadata": {"caption": "bar"},
        }
    ],
}
GOOD = image("1", "https://images.example/1.jpg")


def changed(**fields: Json) -> dict[str, Json]:
    """A good batch whose only image has other fields; None takes one away."""
    item = {key: value for key, value in {**GOOD, **fields}.items() if value is not None}
    return batch(item)


# -- accepting and refusing, nothing fetched ------------------------------------------------


def test_t01_the_seeds_example_body_is_accepted(quiet: Api) -> None:
    answer = quiet.post(SEED)
    assert answer.status_code == 200
    assert list(answer.json()) == ["id"] and re.fullmatch(r"[a-z0-9]{12,}", answer.json()["id"])


def test_t02_with_a_media_type_as_well(quiet: Api) -> None:
    assert quiet.post(changed(mediaType="image")).status_code == 200


def test_t03_a_running_job(quiet: Api) -> None:
    job = quiet.start(GOOD)
    answer = quiet.get(STATUS, id=job)
    started = answer.json().pop("startedAt")
    assert answer.status_code == 200
    assert answer.json() == {"finished": False, "state": "started", "id": job,
                             "startedAt": started}  # fmt: skip
    moment = time.strptime(started, "%Y-%m-%d %H:%M:%S")
    assert abs(time.mktime(moment) - time.mktime(time.gmtime())) < 300


def test_t10_an_unknown_job_is_lost_and_a_missing_id_refused(quiet: Api) -> None:
    answer = quiet.get(STATUS, id="098shjhv9")
    assert answer.status_code == 200
    assert answer.json() == {"finished": False, "state": "lost",
                             "id": 'no import job found for id "098shjhv9"'}  # fmt: skip
    assert quiet.get(STATUS).status_code == 400
    assert quiet.get(STATUS, id="").status_code == 400


def test_t16_an_unknown_route(quiet: Api) -> None:
    answer = quiet.get("/api/v1/foo")
    assert answer.status_code == 404
    assert answer.json() == {"status": 404, "error": "Not Found",
                             "error_details": {"url": "/api/v1/foo"}}  # fmt: skip


def test_t17_a_removed_version_is_gone_and_one_that_never_was_is_not_found(quiet: Api) -> None:
    gone = quiet.post(SEED, "/api/2019-01/import/images")
    assert (gone.status_code, gone.json()["error"]) == (410, "Gone")
    for never in ("beta", "v2", "2025-04"):
        assert quiet.post(SEED, f"/api/{never}/import/images").status_code == 404


def at(month: str) -> float:
    return datetime.fromisoformat(f"{month}-17T12:00+00:00").timestamp()


@pytest.mark.parametrize(
    ("month", "newest", "count"),
    [("2025-03", "2025-03", 2), ("2026-08", "2026-07", 10), ("2026-11", "2026-11", 12),
     ("2026-12", "2026-11", 12), ("2027-01", "2027-01", 13)],
)  # fmt: skip
def test_the_releases_of_odd_months_are_there_up_to_this_month(
    quiet: Api, monkeypatch: pytest.MonkeyPatch, month: str, newest: str, count: int
) -> None:
    monkeypatch.setattr(quiet.engine, "now", lambda: at(month))
    known = versions(at(month))
    assert (known[0], known[-1], len(known)) == ("v1", newest, count)
    assert quiet.get(f"/api/{newest}/projectConfig").status_code == 200
    year, of_year = divmod(int(newest[:4]) * 12 + int(newest[5:]) + 1, 12)
    assert quiet.get(f"/api/{year}-{of_year + 1:02}/projectConfig").status_code == 404
    described = quiet.get("/openapi.json").json()["components"]["parameters"]["version"]
    assert described["schema"]["enum"] == list(known)


def test_a_version_whose_end_is_announced_says_so(
    quiet: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def farewell(month: str, version: str, path: str = "projectConfig") -> list[str | None]:
        monkeypatch.setattr(quiet.engine, "now", lambda: at(month))
        headers = quiet.get(f"/api/{version}/{path}").headers
        return [headers.get("deprecation"), headers.get("sunset")]

    since = f"@{datetime(2026, 9, 1, tzinfo=UTC).timestamp():.0f}"
    ends = "Mon, 01 Mar 2027 00:00:00 GMT"
    assert farewell("2026-08", "v1") == [None, None]
    assert farewell("2026-10", "v1") == [since, ends]
    assert farewell("2026-10", "v1", "no-such-path") == [since, ends]
    assert farewell("2026-10", "2025-03") == farewell("2026-11", "2026-09") == [None, None]
    assert farewell("2026-11", "2025-03")[1] == "Sat, 01 May 2027 00:00:00 GMT"


WRONG = {
    "t18 no systemName": ({"images": [GOOD]}, "systemName"),
    "t19 no images": ({"systemName": "a"}, "images"),
    "t19 images is an object": ({"systemName": "a", "images": {}}, "images"),
    "t19 images is empty": (batch(), "images"),
    "t20 a data URL": (changed(url="data:image/png;base64,AAAA"), "images.0.url"),
    "t22 webhook": ({**batch(GOOD), "webhook": "not a url"}, "webhook"),
    "t23 no id": (changed(id=None), "images.0.id"),
    "t23 no url": (changed(url=None), "images.0.url"),
    "t23 no fileName": (changed(fileName=None), "images.0.fileName"),
    "t23 no metadata": (changed(metadata=None), "images.0.metadata"),
    "t24 unknown mediaType": (changed(mediaType="doesNotExist"), "images.0.mediaType"),
    "the same id twice": (batch(GOOD, GOOD), "images.1.id"),
    "an unknown key": ({**batch(GOOD), "priority": 1}, "priority"),
    "a number as a text": (changed(id=5), "images.0.id"),
    "not an object": ([GOOD], "message"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_t18_to_t24_a_wrong_request_is_refused_by_dotted_path(quiet: Api, name: str) -> None:
    body, path = WRONG[name]
    answer = quiet.post(body)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert (answer.json()["status"], answer.json()["error"]) == (400, "Bad Request")
    assert path in answer.json()["error_details"]


def test_t18_the_words_of_a_missing_property(quiet: Api) -> None:
    details = quiet.post({"images": [GOOD]}).json()["error_details"]
    assert details == {"systemName": "Missing required property: systemName"}


def test_t21_context_may_have_8192_bytes(quiet: Api) -> None:
    def of(size: int) -> Json:
        return {"k": "ä" * ((size - 8) // 2) + "x" * ((size - 8) % 2)}

    assert quiet.post(batch(GOOD, context=of(8192))).status_code == 200
    answer = quiet.post(batch(GOOD, context=of(8193)))
    assert answer.status_code == 400 and "8193 bytes" in answer.json()["error_details"]["context"]


@pytest.mark.parametrize("prefix", ["", "/proxy/api", "/a/b"])
def test_t41_t42_any_prefix(quiet: Api, prefix: str) -> None:
    with LivingdocsClient(quiet.url + prefix + "/", TOKEN, patience=0) as livingdocs:
        assert livingdocs.status("nope").state is JobState.LOST
        assert livingdocs.project_config()["mediaTypes"]
    assert quiet.post(SEED, f"{prefix}{IMPORT}").status_code == 200


def test_t44_a_body_over_500_kb(quiet: Api) -> None:
    fitting = batch(*(image(str(n), f"https://images.example/{n}" + "x" * 900) for n in range(480)))
    assert quiet.post(fitting).status_code == 200
    answer = quiet.post(
        batch(*(image(str(n), "https://e.example/" + "x" * 900) for n in range(600)))
    )
    assert answer.status_code == 413
    assert answer.json()["error"] == "Payload Too Large"


# -- tokens ---------------------------------------------------------------------------------


def test_t13_without_a_token_and_with_one_that_does_not_count(quiet: Api) -> None:
    assert quiet.engine is not None
    expired = access_tokens.create(quiet.engine.folder, "old", list(TokenScope), 1, now=1e9)
    for token in (None, expired, "ldi_unknown", "t\u00f6ken"):
        headers = {} if token is None else {"Authorization": f"Bearer {token}".encode("latin-1")}
        with client(quiet.url, None) as http:
            answer = http.post(IMPORT, json=SEED, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized")
        if token is not None:
            assert answer.json()["error_details"] == {"access_token": "The access token expired."}


ROUTES = {
    "POST " + IMPORT: TokenScope.WRITE,
    f"GET {STATUS}?id=x": TokenScope.WRITE,
    "GET /api/v1/projectConfig": TokenScope.CONFIG_READ,
    "GET /api/v1/mediaLibrary?ids=x": TokenScope.READ,
    "GET /api/v1/mediaLibrary/x": TokenScope.READ,
    "PATCH /api/v1/mediaLibrary/x": TokenScope.WRITE,
}


@pytest.mark.parametrize("route", ROUTES)
def test_t14_t15_each_route_asks_for_its_scope(quiet: Api, route: str) -> None:
    assert quiet.engine is not None
    method, path = route.split(" ", 1)
    for scope in TokenScope:
        token = access_tokens.create(quiet.engine.folder, scope, [scope], None, now=time.time())
        with client(quiet.url, token) as http:
            answer = http.request(method, path, json=SEED if method == "POST" else None)
        if scope is ROUTES[route]:
            assert answer.status_code not in (401, 403)
        else:
            assert answer.status_code == 403
            details = {"access_token": "The request requires higher privileges"}
            assert answer.json() == {"status": 403, "error": "Forbidden", "error_details": details}


def test_a_revoked_token_is_refused_at_once(quiet: Api) -> None:
    assert quiet.engine is not None
    folder = quiet.engine.folder
    token = access_tokens.create(folder, "to be revoked", list(TokenScope), 1, now=time.time())
    with client(quiet.url, token) as http:
        assert http.get(STATUS, params={"id": "x"}).status_code == 200
        listed = next(each for each in access_tokens.tokens(folder) if each.name == "to be revoked")
        assert token not in str(listed) and access_tokens.revoke(folder, listed.id, now=time.time())
        assert http.get(STATUS, params={"id": "x"}).status_code == 401


# -- results --------------------------------------------------------------------------------

MIXED = {"1": Status.SUCCESS, "2": Status.SKIPPED, "3": Status.FAILED}


def mixed(api: Api, origin: Origin) -> str:
    """A job with one image of each outcome."""
    known = image("2", origin.put("two.png", picture("PNG"), "image/png"))
    api.ended(api.start(known))
    one = image("1", origin.put("one.jpg", picture()))
    return api.start(one, known, image("3", origin.url("missing.jpg")))


@pytest.mark.parametrize(
    ("version", "forced", "key", "success"),
    [
        ("v1", None, "status", "success"),
        ("2025-03", None, "state", "imported"),
        ("2026-09", None, "state", "imported"),
        ("v1", Dialect.V2025_03, "state", "success"),
        ("v1", Dialect.V2026_08, "state", "imported"),
        ("2026-01", Dialect.SEED, "status", "success"),
    ],
)
def test_t04_to_t08_the_results_of_a_job_in_every_dialect(
    tmp_path: Path, origin: Origin, version: str, forced: Dialect | None, key: str, success: str
) -> None:
    with served(tmp_path / "engine", allow=(origin.host,), dialect=forced) as api:
        job = mixed(api, origin)
        found = api.ended(job, f"/api/{version}/import/images/status")
        with LivingdocsClient(api.url, TOKEN, api_version=version) as livingdocs:
            read = livingdocs.status(job)
    assert (found["finished"], found["state"], found["id"]) == (True, "success", job)
    ok, skipped, failed = found["images"]
    name = "title" if key == "status" else "systemName"
    assert list(ok) == [key, "externalId", name, "image"]
    assert list(skipped) == [key, "reason", "externalId", name, "image"]
    assert list(failed) == [key, "reason", "cause", "retryable", "externalId", name]
    assert (failed["cause"], failed["retryable"]) == ("origin-404", False)
    assert (ok[key], skipped[key], failed[key]) == (success, "skipped", "failed")
    assert skipped["reason"] == "already exists" and "404" in failed["reason"]
    assert ok[name] == ("Picture 1" if name == "title" else "archive")
    assert {each.external_id: each.status for each in read.results} == MIXED
    assert read.state is JobState.SUCCESS


def test_t04_the_image_object_is_the_seeds(api: Api, origin: Origin) -> None:
    job = api.start(image("1", origin.put("one.jpg", picture()), fileName="Truck in Flood Water"))
    of = api.ended(job)["images"][0]["image"]
    assert list(of) == ["mediaId", "originalUrl", "url", "width", "height", "mimeType",
                        "imageService"]  # fmt: skip
    assert (of["width"], of["height"], of["mimeType"]) == (40, 30, "image/jpeg")
    assert of["url"] == of["originalUrl"] + "?format=auto"
    assert of["originalUrl"].startswith(f"{api.url}/api/v1/images/truck-in-flood-water?id=MQ")


def test_t09_a_job_that_failed_as_a_whole(tmp_path: Path) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        job = api.start(GOOD)
        assert api.engine is not None
        with api.engine.store._catalogue.writing() as connection:
            connection.execute("UPDATE config SET body = '{\"mediaTypes\": 5}'")
        api.engine.run()
        assert api.ended(job) == {"finished": True, "state": "failed", "id": job}


def test_t11_the_quotas_body_is_the_seeds_to_the_letter(tmp_path: Path) -> None:
    seed = (
        "Your plan does not allow you to upload more than 100 per day.\n"
        "      You already uploaded 99 in the last 24 hours and are trying to upload 10 more.\n"
        "      Please try again later."
    )
    with served(tmp_path / "engine", workers=0, daily_limit=100) as api:
        api.start(*(image(str(n), f"https://images.example/{n}") for n in range(99)))
        answer = api.post(batch(*(image(f"x{n}", "https://images.example/x") for n in range(10))))
        assert answer.status_code == 429
        assert answer.json() == [{"status": 429, "error": "Usage Limit Exceeded",
                                  "error_details": {"message": seed}}]  # fmt: skip
        api.start(image("last", "https://images.example/last"))


def test_t25_t26_metadata_against_the_config_fails_one_image(api: Api, origin: Origin) -> None:
    url = origin.put("one.jpg", picture())
    job = api.start(
        image("good", url),
        image("type", url, metadata={"title": 5}),
        image("unknown", url, metadata={"nope": "x"}),
    )
    results = {each["externalId"]: each for each in api.ended(job)["images"]}
    assert [results[each]["status"] for each in ("good", "type", "unknown")] == [
        "success", "failed", "failed"]  # fmt: skip
    assert "title" in results["type"]["reason"] and "nope" in results["unknown"]["reason"]


def test_t27_t28_identity_is_system_name_and_id(api: Api, origin: Origin) -> None:
    item = image("1", origin.put("one.jpg", picture()))
    first = api.ended(api.start(item))["images"][0]
    again = api.ended(api.start(item))["images"][0]
    other = api.ended(api.start(item, system_name="another"))["images"][0]
    assert (again["status"], again["reason"]) == ("skipped", "already exists")
    assert again["image"] == first["image"]
    assert other["status"] == "success" and other["image"]["mediaId"] != first["image"]["mediaId"]


@pytest.mark.parametrize("context", [{"myIdentifier": "some", "n": [1, {"ä": None}]}, None])
def test_t29_t30_the_webhook(
    tmp_path: Path, origin: Origin, receiver: Receiver, context: Json
) -> None:
    fields = {"webhook": receiver.url} | ({} if context is None else {"context": context})
    with served(tmp_path / "engine", allow=(origin.host, receiver.host)) as api:
        job = api.start(image("1", origin.url("1.jpg")), image("2", origin.url("no")), **fields)
        (hook,) = receiver.got()
    assert hook.json["source"] == "livingdocs-image-import"
    assert (hook.json["id"], hook.json["state"]) == (job, "success")
    assert hook.json["overview"]["details"] == {"success": 1, "skipped": 0, "failed": 1}
    assert hook.json.get("context") == context


# -- the media library ----------------------------------------------------------------------


def test_t31_to_t33_looking_media_up(api: Api, origin: Origin) -> None:
    url = origin.put("one.jpg", picture())
    job = api.start(image("ex-1", url, metadata={"caption": "A"}), image("ex-2", url))
    ids = [each["image"]["mediaId"] for each in api.ended(job)["images"]]
    for version, key in (("v1", "mediaLibraryEntries"), ("2025-11", "mediaLibraryEntries"),
                         ("2026-01", "results")):  # fmt: skip
        path = f"/api/{version}/mediaLibrary"
        (entry,) = api.get(path, externalId="ex-1", systemName="archive").json()[key]
        assert (entry["id"], entry["systemName"], entry["externalId"]) == (
            ids[0], "archive", "ex-1")  # fmt: skip
        assert entry["metadata"]["caption"] == "A" and entry["asset"]["width"] == 40
        both = api.get(path, ids=f"{ids[1]},nope,{ids[0]}").json()
        assert [each["id"] for each in both[key]] == [ids[1], ids[0]]
        assert api.get(path, externalId="no", systemName="archive").json() == {key: []}
        assert api.get(f"{path}/{ids[0]}").json() == entry
    answer = api.get("/api/v1/mediaLibrary", externalId="ex-1")
    assert answer.json()["error_details"] == {"systemName": "Missing required property: systemName"}


def test_t34_to_t37_patching(api: Api, origin: Origin) -> None:
    job = api.start(image("1", origin.url("1.jpg"), metadata={"caption": "A"}))
    media = api.ended(job)["images"][0]["image"]["mediaId"]
    path = f"/api/v1/mediaLibrary/{media}"

    def patch(body: Json, where: str = path) -> tuple[int, Json]:
        answer = api.http.patch(where, json=body)
        return answer.status_code, answer.json()

    def setting(name: str, value: Json) -> dict[str, Json]:
        return {"operation": "setMetadataProperty", "propertyName": name, "value": value}

    before = api.get(path).json()
    assert patch({"patches": [setting("title", "T")], "version": "1"}) == (200, {"status": 200})
    after = api.get(path).json()
    assert after["metadata"] == {"title": "T", "caption": "A"} and after["version"] == 2
    assert patch({"patches": [setting("caption", None)]})[0] == 200
    assert api.get(path).json()["metadata"] == {"title": "T"}
    status, body = patch({"patches": [setting("title", "U")], "version": 36})
    assert (status, body["error"]) == (409, "Conflict")  # type: ignore[index,call-overload]
    assert body["error_details"] == {  # type: ignore[index,call-overload]
        "name": "Conflict", "message": "Version: Expected 36 to be equal to 3"}  # fmt: skip
    status, body = patch({"patches": [{"operation": "notExistingOperation"}]})
    assert (status, body["error_details"]) == (  # type: ignore[index,call-overload]
        400, {"patches.0.operation": 'No enum match for: "notExistingOperation"'})  # fmt: skip
    for known in ("archive", "revokeAsset", "unrevokeAsset", "replaceAsset", "removeAsset"):
        status, body = patch({"patches": [setting("title", "W"), {"operation": known}]})
        said = body["error_details"]["patches.1.operation"]  # type: ignore[index,call-overload]
        assert status == 400 and f'"{known}" is known, but not carried out' in said  # type: ignore[operator]
    status, body = patch({"patches": [setting("title", 5)]})
    assert status == 400 and "patches.0.value" in body["error_details"]  # type: ignore[index,call-overload,operator]
    status, body = patch({"patches": [setting("title", "U")]}, "/api/v1/mediaLibrary/yLBGtTjWN4ba")
    assert (status, body["error_details"]) == (  # type: ignore[index,call-overload]
        404, {"name": "NotFound",
              "message": "MediaLibrary Entry does not exist (id: 'yLBGtTjWN4ba')"})  # fmt: skip
    newest = path.replace("v1", "2026-03")
    kept = {"patches": [setting("title", "V")], "preserveUpdatedAt": True}
    was = api.get(path).json()["updatedAt"]
    assert was > before["updatedAt"]
    assert patch(kept, newest)[0] == 200 and api.get(path).json()["updatedAt"] == was
    assert patch(kept)[0] == 400  # v1 does not know preserveUpdatedAt


# -- what is accepted as an image -----------------------------------------------------------


def test_t45_24_megapixels_and_no_more(api: Api, origin: Origin) -> None:
    fits = origin.put("fits.png", picture("PNG", (6000, 4000)), "image/png")
    over = origin.put("over.png", picture("PNG", (6001, 4000)), "image/png")
    first, second = api.ended(api.start(image("fits", fits), image("over", over)))["images"]
    assert first["status"] == "success" and first["image"]["width"] == 6000
    assert second["status"] == "failed" and "24,000,000" in second["reason"]


def test_t46_t47_the_bytes_decide_the_type(api: Api, origin: Origin) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="12" height="8"><rect width="3"/></svg>'
    job = api.start(
        image("noext", origin.put("photo", picture(), "image/jpeg")),
        image("svg", origin.put("drawing", svg, "application/xml")),
    )
    plain, drawing = api.ended(job)["images"]
    assert plain["image"]["mimeType"] == "image/jpeg"
    assert drawing["image"]["mimeType"] == "image/svg+xml"
    assert (drawing["image"]["width"], drawing["image"]["height"]) == (12, 8)


def test_the_project_config_is_the_one_in_force(quiet: Api) -> None:
    found = quiet.get("/api/v1/projectConfig").json()
    assert [each["handle"] for each in found["mediaTypes"]] == ["image"]


def test_events_are_told_of_requests_and_jobs(api: Api, origin: Origin) -> None:
    job = api.start(image("1", origin.url("1.jpg")))
    told = until(lambda: [e for e in api.events if getattr(e, "id", "") == job][1:])
    assert (told[0].state, told[0].counts.success) == (JobState.SUCCESS, 1)
