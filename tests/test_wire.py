"""The API's JSON: the documented shapes, and every dialect read alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport import wire
from ldimport.errors import InvalidRequestError
from ldimport.model import (
    Asset,
    Counts,
    Image,
    ImportRequest,
    JobState,
    JobStatus,
    Result,
    Status,
    canonical_json,
)
from ldimport.request_check import check_request, request_from_json
from ldimport.wire import Dialect

SEED_REQUEST = {
    "systemName": "identifier-for-your-system",
    "webhook": "https://my-domain.com/webhooks/image-import",
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
ASSET = Asset("jjiwhsf23kdk", "http://o?id=x", "http://o?id=x?format=auto", 100, 100, "image/png",
              "imgix")  # fmt: skip
FINISHED = JobStatus(
    "25bzj8j",
    JobState.SUCCESS,
    None,
    (
        Result("a-1", Status.SUCCESS, "my image", None, ASSET),
        Result("a-2", Status.SKIPPED, "my second image", "already exists", ASSET),
        Result("a-3", Status.FAILED, "my third image", "Could not upload image"),
    ),
)


def test_the_seeds_request_is_read_and_written_back() -> None:
    request = request_from_json(SEED_REQUEST)
    assert json.loads(wire.request_body(request)) == SEED_REQUEST
    assert request.images[0].media_type is None


def test_a_finished_job_has_the_seeds_shape() -> None:
    body = wire.status_to_json(FINISHED)
    assert list(body) == ["finished", "state", "id", "images"]
    first, second, third = body["images"]  # type: ignore[misc]
    assert list(first) == ["status", "externalId", "title", "image"]
    assert list(second) == ["status", "reason", "externalId", "title", "image"]
    assert third == {
        "status": "failed",
        "reason": "Could not upload image",
        "externalId": "a-3",
        "title": "my third image",
    }
    assert list(first["image"]) == [
        "mediaId",
        "originalUrl",
        "url",
        "width",
        "height",
        "mimeType",
        "imageService",
    ]


def test_running_failed_and_lost_have_the_documented_shapes() -> None:
    running = JobStatus("243kdc", JobState.STARTED, "2020-01-01 13:45:12")
    assert wire.status_to_json(running) == {
        "finished": False,
        "state": "started",
        "id": "243kdc",
        "startedAt": "2020-01-01 13:45:12",
    }
    failed = JobStatus("098shjhv9", JobState.FAILED)
    assert wire.status_to_json(failed) == {"finished": True, "state": "failed", "id": "098shjhv9"}
    lost = wire.status_to_json(JobStatus("x", JobState.LOST))
    assert lost == {
        "finished": False,
        "state": "lost",
        "id": 'no import job found for id "x"',
    }


@pytest.mark.parametrize("dialect", list(Dialect))
def test_every_dialect_reads_back_the_same(dialect: Dialect) -> None:
    body = json.loads(json.dumps(wire.status_to_json(FINISHED, dialect)))
    read = wire.status_from_json(body, FINISHED.id)
    outcomes = [(each.external_id, each.status, each.reason, each.asset) for each in read.results]
    assert outcomes == [
        (each.external_id, each.status, each.reason, each.asset) for each in FINISHED.results
    ]
    word = "status" if dialect is Dialect.SEED else "state"
    assert all(word in each for each in body["images"])
    assert ("title" in body["images"][0]) == (dialect is Dialect.SEED)
    assert ("imported" in json.dumps(body)) == (dialect is Dialect.V2026_08)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"finished": False, "state": "queued", "id": "x"}, JobState.STARTED),
        ({"finished": True, "state": "exploded", "id": "x"}, JobState.FAILED),
        ({"finished": False, "state": "lost", "id": "no import job"}, JobState.LOST),
        ({"finished": False, "state": "success"}, JobState.STARTED),
        ({"state": "failed", "finished": True}, JobState.FAILED),
    ],
)
def test_unknown_states_end_only_when_they_say_so(body: object, state: JobState) -> None:
    assert wire.status_from_json(body, "x").state is state


@pytest.mark.parametrize("body", [None, [], "x", {}, {"state": 5}, {"finished": True}])
def test_what_is_no_status_answer_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match="status"):
        wire.status_from_json(body, "x")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"systemName": None}, "systemName"),
        ({"systemName": 5}, "systemName"),
        ({"images": []}, "images"),
        ({"images": {}}, "images"),
        ({"webhook": "not a url"}, "webhook"),
        ({"context": []}, "context"),
        ({"context": {"a": "x" * 8_185}}, "context"),
        ({"extra": 1}, "extra"),
        ({"images": [{"id": "a", "url": "http://a.b/c", "fileName": "f"}]}, "images.0.metadata"),
        ({"images": ["x"]}, "images.0"),
    ],
)
def test_a_broken_request_is_refused_by_dotted_path(change: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request_from_json({**SEED_REQUEST, **change})
    assert path in caught.value.details


@pytest.mark.parametrize("key", ["id", "url", "fileName", "metadata"])
def test_a_missing_key_of_an_image_is_named(key: str) -> None:
    image = {k: v for k, v in SEED_REQUEST["images"][0].items() if k != key}  # type: ignore[index,union-attr]
    with pytest.raises(InvalidRequestError) as caught:
        request_from_json({**SEED_REQUEST, "images": [image]})
    assert caught.value.details == {f"images.0.{key}": f"Missing required property: {key}"}


@pytest.mark.parametrize(
    "url",
    ["data:image/png;base64,AA", "ftp://a.b/c", "//a.b/c", "http://", "http://a b/c", "c.jpg",
     "http://a.b/\n", "http://a.b:99999/x", "http:\\\\a.b"],
)  # fmt: skip
def test_only_http_urls_are_accepted(url: str) -> None:
    image = {"id": "a", "url": url, "fileName": "f", "metadata": {}}
    with pytest.raises(InvalidRequestError) as caught:
        request_from_json({"systemName": "s", "images": [image]})
    assert "images.0.url" in caught.value.details


def test_relative_urls_only_where_they_are_files() -> None:
    body = {
        "systemName": "s",
        "images": [{"id": "a", "url": "photos/a b.jpg", "fileName": "f", "metadata": {}}],
    }
    assert request_from_json(body, relative_urls=True).images[0].url == "photos/a b.jpg"
    for outside in ("/etc/passwd", "file:///etc/passwd", "C:\\x", "a\0b", "c:x"):
        body["images"][0]["url"] = outside  # type: ignore[index]
        with pytest.raises(InvalidRequestError):
            request_from_json(body, relative_urls=True)


def test_the_same_id_twice_is_refused() -> None:
    twice = {**SEED_REQUEST, "images": SEED_REQUEST["images"] * 2}  # type: ignore[operator]
    with pytest.raises(InvalidRequestError) as caught:
        request_from_json(twice)
    assert caught.value.details == {"images.1.id": "is the same as images.0.id"}


@pytest.mark.parametrize(("size", "accepted"), [(8_192, True), (8_193, False)])
def test_context_is_measured_as_compact_utf8(size: int, accepted: bool) -> None:
    context = {"a": "é" + "x" * (size - len('{"a":"é"}'.encode()))}
    assert len(wire.encode(context)) == size
    if accepted:
        assert request_from_json({**SEED_REQUEST, "context": context}).context == context
    else:
        with pytest.raises(InvalidRequestError, match="8193"):
            request_from_json({**SEED_REQUEST, "context": context})


def seed_page() -> str:
    place = Path(__file__).resolve().parents[2] / "shared" / "seed" / "images.md"
    if not place.is_file():
        pytest.skip("the API's page is not beside the checkout")
    return place.read_text()


def test_the_quota_answer_is_the_seeds_letter_by_letter() -> None:
    block = re.search(r"429\n---.*?```js\n(.*?)```", seed_page(), re.DOTALL)
    assert block is not None
    assert wire.quota_to_json(100, 99, 10) == json.loads(block[1])


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: body[0]], ids=["array", "object"])
def test_the_quota_answer_is_read_as_array_and_object(wrap) -> None:  # type: ignore[no-untyped-def]
    error = wire.quota_from_json(wrap(wire.quota_to_json(100, 99, 10)))
    assert (error.limit, error.used, error.trying) == (100, 99, 10)
    assert wire.quota_from_json("<html>").limit is None


def test_the_webhook_says_id_state_overview_and_context() -> None:
    body = wire.notification_to_json(FINISHED, Counts(1, 1, 1), {"a": 1})
    assert (body["id"], body["state"], body["context"]) == ("25bzj8j", "success", {"a": 1})
    assert body["overview"]["details"]["failed"] == 1  # type: ignore[index,call-overload]
    assert "context" not in wire.notification_to_json(FINISHED, Counts(), None)


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | text, lambda inner: st.lists(inner, max_size=3)
)
images = st.lists(
    st.builds(
        Image,
        id=text,
        url=st.just("https://a.b/c.jpg"),
        file_name=text,
        metadata=st.dictionaries(text, json_value, max_size=3),
        media_type=st.none() | text,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda image: image.id,
)


@given(images, text, st.none() | st.dictionaries(text, text, max_size=3))
def test_requests_survive_the_round_trip(
    found: list[Image], name: str, context: dict[str, str] | None
) -> None:
    request = ImportRequest(name, tuple(found), None, context)
    again = request_from_json(json.loads(wire.request_body(request)))
    assert again == request


def findings(check: Callable[[], object]) -> dict[str, str]:
    try:
        check()
    except InvalidRequestError as error:
        return dict(error.details)
    return {}


odd = st.none() | st.integers() | st.sampled_from(["", "a", "http://h.test/b", "\ud800", "c/d.jpg"])
odd_images = st.builds(Image, odd, odd, odd, odd | st.just({}), odd)


@given(
    odd, st.lists(odd_images, max_size=4), odd, odd | st.just({"a": float("nan")}), st.booleans()
)
def test_objects_are_checked_as_their_json_is(
    name: Any, found: list[Image], webhook: Any, context: Any, relative: bool
) -> None:
    request = ImportRequest(name, tuple(found), webhook, context)
    entries = [{"id": i.id, "url": i.url, "fileName": i.file_name, "metadata": i.metadata,
                "mediaType": i.media_type} for i in found]  # fmt: skip
    body = {"systemName": name, "images": entries, "webhook": webhook, "context": context}
    assert findings(lambda: check_request(request, relative_urls=relative)) == findings(
        lambda: request_from_json(body, relative_urls=relative)
    )


@given(st.recursive(json_value, lambda inner: st.dictionaries(text, inner, max_size=4)))
def test_no_body_makes_the_check_fail(body: object) -> None:
    with pytest.raises(InvalidRequestError):
        request_from_json(body)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
entries = st.builds(
    Image,
    texts,
    texts.map("http://h.test/{}".format),
    texts,
    st.dictionaries(texts, st.one_of(texts, st.integers(), st.none(), st.lists(texts))),
    st.none() | texts,
)


@given(
    texts,
    st.lists(entries, max_size=4),
    st.none() | texts,
    st.none() | st.dictionaries(texts, st.just({"images": [], "systemName": "x"})),
)
def test_a_body_joined_from_its_entries_is_the_body(
    name: str, images: list[Image], webhook: str | None, context: dict[str, object] | None
) -> None:
    plain = ImportRequest(name, tuple(images), webhook, context)
    joined = replace(plain, bodies=tuple(map(wire.image_body, images)))
    body = {"systemName": name, "images": [json.loads(each) for each in joined.bodies],
            "webhook": webhook, "context": context}  # fmt: skip
    whole = canonical_json({key: value for key, value in body.items() if value is not None})
    assert wire.request_body(joined) == wire.request_body(plain) == whole


@pytest.mark.parametrize("cause", ["It went wrong", "", "x" * 65, "Origin-503", 5, None, ["a"]])
def test_a_cause_that_is_no_code_says_nothing(cause: object) -> None:
    told = wire.result_from_json({"externalId": "a", "status": "failed", "cause": cause})
    assert told is not None and told.cause is None


def test_a_cause_travels_beside_the_reason() -> None:
    result = Result("a", Status.FAILED, "A", "origin answered 503", cause="origin-503",
                    retryable=True)  # fmt: skip
    for dialect in Dialect:
        assert (
            wire.result_from_json(wire.result_to_json(result, dialect, "s")).cause == "origin-503"
        )
    told = wire.result_from_json({"status": "failed", "externalId": "a", "reason": "no"})
    assert (told.cause, told.retryable) == (None, None)
