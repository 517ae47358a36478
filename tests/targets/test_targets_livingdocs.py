"""The HTTP target: the protocol over the client, and batches that shrink on 413."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from ldimport.client import LivingdocsClient
from ldimport.errors import RefusedError, TooLargeError
from ldimport.model import Image, ImportRequest, JobOptions, JobState
from ldimport.targets.base import BatchLimits, Target
from ldimport.targets.livingdocs import SMALLEST_BATCH, LivingdocsTarget

Handler = Callable[[httpx.Request], httpx.Response]


def target(handler: Handler, address: str = "https://Edit.Tagblatt.ch:443/proxy/api/") -> Target:
    client = LivingdocsClient(address, "token", transport=httpx.MockTransport(handler), patience=0)
    return LivingdocsTarget(client)


def batch(images: int, size: int) -> ImportRequest:
    each = [Image(f"i{n}", "https://a.example/x", "f", {"text": "x" * size}) for n in range(images)]
    return ImportRequest("sys", tuple(each))


def taking(limit: int) -> Handler:
    """A server that refuses bodies over ``limit`` bytes."""

    def answer(request: httpx.Request) -> httpx.Response:
        too_large = len(request.content) > limit
        return httpx.Response(413) if too_large else httpx.Response(200, json={"id": "job"})

    return answer


def test_identity_is_one_for_all_spellings_and_versions() -> None:
    never: Handler = lambda _: httpx.Response(500)  # noqa: E731
    one = target(never)
    other = LivingdocsTarget(
        LivingdocsClient("https://edit.tagblatt.ch/proxy/api", "t", api_version="2026-07")
    )
    assert one.identity == other.identity == "https://edit.tagblatt.ch/proxy/api"
    assert (one.label, one.local) == ("edit.tagblatt.ch", False)
    one.close()
    other.close()
    other.close()


def test_a_refused_batch_halves_the_limit_until_it_fits() -> None:
    place = target(taking(100_000))
    learned = [place.limits.bytes]
    while learned[-1] > 100_000:
        with pytest.raises(TooLargeError) as caught:
            place.submit(batch(learned[-1] // 1200, 1000), "key", JobOptions())
        assert place.limits.bytes == caught.value.size // 2
        learned.append(place.limits.bytes)
    assert place.submit(batch(learned[-1] // 1200, 1000), "key", JobOptions()) == "job"
    assert len(learned) == 3
    assert place.limits.images == BatchLimits().images
    place.close()


def test_the_limit_never_grows_nor_falls_below_a_sensible_batch() -> None:
    place = target(taking(0))
    for _ in range(20):
        with pytest.raises(TooLargeError):
            place.submit(batch(2, 5), "key", JobOptions())
    assert place.limits.bytes == SMALLEST_BATCH
    with pytest.raises(TooLargeError):
        place.submit(batch(2, 200_000), "key", JobOptions())
    assert place.limits.bytes == SMALLEST_BATCH
    place.close()


def test_one_image_that_is_too_large_says_nothing_about_batches() -> None:
    place = target(taking(100_000))
    with pytest.raises(TooLargeError):
        place.submit(batch(1, 200_000), "key", JobOptions())
    assert place.limits == BatchLimits()
    place.close()


def test_the_other_questions_go_to_the_client() -> None:
    asked: list[str] = []
    answers = {
        "/proxy/api/api/v1/import/images/status": {"finished": False, "state": "lost", "id": "?"},
        "/proxy/api/api/v1/mediaLibrary": {
            "mediaLibraryEntries": [{"id": "m1", "asset": {"url": "https://i/x", "width": 2}}]
        },
        "/proxy/api/api/v1/projectConfig": {"mediaTypes": [], "$baseRevision": 3},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=json.dumps(answers[request.url.path]))

    place = target(answer)
    assert place.status("j").state is JobState.LOST
    found = place.find("sys", "x")
    assert found is not None
    assert (found.media_id, found.original_url, found.width) == ("m1", "https://i/x", 2)
    assert place.project_config() == {"mediaTypes": [], "$baseRevision": 3}
    assert asked == list(answers)
    assert place.progress("j") is None
    with place.work():
        pass
    place.close()


def test_properties_are_patched_with_the_version_that_was_found() -> None:
    asked: list[httpx.Request] = []
    entry = {"id": "m1", "version": 7, "mediaType": "image", "asset": {}, "metadata": {"a": "1"},
             "systemName": "sys", "externalId": "x"}  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "PATCH" and len(asked) > 2:
            return httpx.Response(409, json={"status": 409, "error": "Conflict"})
        return httpx.Response(200, json={"results": [entry]})

    place = target(answer)
    found = place.find("sys", "x")
    assert found is not None and (found.version, found.metadata) == (7, {"a": "1"})
    place.patch(found.media_id, {"caption": "new", "credit": None}, found.version)
    assert asked[1].url.path.endswith("/mediaLibrary/m1")
    assert json.loads(asked[1].content) == {
        "version": 7,
        "patches": [
            {"operation": "setMetadataProperty", "propertyName": "caption", "value": "new"},
            {"operation": "setMetadataProperty", "propertyName": "credit", "value": None},
        ],
    }
    with pytest.raises(RefusedError) as caught:
        place.patch("m1", {"caption": "newer"}, 7)
    assert caught.value.code == "conflict"
    place.close()
