"""Pages as a program sees them: who may look, what stands in headers and documents."""

from __future__ import annotations

import base64
import csv
import io
import sys
from pathlib import Path

import httpx
import pytest
from served import TOKEN, Api, Origin, client, image, served

sys.path.append(str(Path(__file__).parents[1] / "bench"))
from looks import build

FAILED_JOB = "job00000000003"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "engine"
    build(folder, 200, 10)
    return folder


@pytest.fixture(scope="module")
def looked(library: Path) -> object:
    with served(library, workers=0) as api:
        yield api


def get(api: Api, path: str, **headers: str) -> httpx.Response:
    """A request without a token."""
    with client(api.url, token=None) as http:
        return http.get(path, headers=headers)


# -- who may look -------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "localhost:9095", "LOCALHOST"])
def test_names_of_this_machine_need_no_token(looked: Api, host: str) -> None:
    assert get(looked, "/", Host=host).status_code == 200


_STRANGERS = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1",
              "evil.example:9095", "localhost@evil.example", "")  # fmt: skip


@pytest.mark.parametrize("host", _STRANGERS)
@pytest.mark.parametrize("path", ["/", "/library.json", "/static/look.css", "/jobs/x"])
def test_a_name_that_was_pointed_here_gets_nothing(looked: Api, host: str, path: str) -> None:
    answer = get(looked, path, Host=host)
    assert answer.status_code == 421
    assert "job0" not in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_who_comes_through_a_proxy_needs_a_token(looked: Api, header: str) -> None:
    assert get(looked, "/", **{header: "1.2.3.4"}).status_code == 401


def test_beyond_this_machine_the_token_is_the_password(library: Path) -> None:
    with served(library, workers=0, public_url="https://images.example.com") as api:
        refused = get(api, "/", Host="images.example.com")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert get(api, "/").status_code == 401
        for scheme, text in (
            ("Basic", f"anybody:{TOKEN}"),
            ("Basic", "a:wrong"),
            ("Bearer", TOKEN),
        ):
            told = text if scheme == "Bearer" else base64.b64encode(text.encode()).decode()
            answer = get(api, "/library", Authorization=f"{scheme} {told}")
            assert answer.status_code == (401 if "wrong" in text else 200)
        assert get(api, "/", Authorization="Basic %%%").status_code == 401


def test_pages_only_read(looked: Api) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = looked.http.request(method, "/library")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert looked.http.head("/").status_code == 200


# -- headers and files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/library", f"/jobs/{FAILED_JOB}", "/jobs/none", "/static/pages.js"]
)
def test_a_page_may_load_nothing_from_elsewhere(looked: Api, path: str) -> None:
    answer = get(looked, path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if answer.headers["content-type"].startswith("text/html"):
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert " onclick" not in answer.text


def test_files_of_the_pages_are_asked_for_once(looked: Api) -> None:
    first = get(looked, "/static/htmx.min.js")
    again = get(looked, "/static/htmx.min.js", **{"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    for name in ("../look.css", "__init__.py", "none", "%2e%2e%2flook.css"):
        assert get(looked, f"/static/{name}").status_code == 404


# -- documents ----------------------------------------------------------------------------------


def test_jobs_as_json_follow_each_other(looked: Api) -> None:
    path, seen = "/jobs.json?limit=3", []
    while path:
        document = get(looked, path).json()
        seen += [each["id"] for each in document["jobs"]]
        path = document["next"]
    assert seen == [f"job{n:011}" for n in range(10, 0, -1)]
    assert document["totals"]["images"]["total"] == sum(
        document["totals"]["images"][name] for name in ("success", "skipped", "failed", "pending")
    )
    assert get(looked, "/.json").json()["totals"] == document["totals"]
    failed = get(looked, "/jobs.json?state=failed").json()["jobs"]
    assert [each["id"] for each in failed] == ["job00000000009", "job00000000006", FAILED_JOB]


def test_the_csv_holds_what_the_filter_leaves(looked: Api) -> None:
    answer = get(looked, f"/jobs/{FAILED_JOB}.csv?state=failed")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = [*csv.DictReader(io.StringIO(answer.text))]
    told = get(looked, f"/jobs/{FAILED_JOB}.json?state=failed").json()
    assert [row["externalId"] for row in rows] == [each["externalId"] for each in told["images"]]
    assert len(rows) == told["job"]["images"]["failed"] == 3
    whole = get(looked, f"/jobs/{FAILED_JOB}.csv").text
    assert len(whole.splitlines()) == 1 + told["job"]["images"]["total"]


def test_without_an_index_the_library_can_still_be_looked_at(tmp_path: Path) -> None:
    build(tmp_path / "engine", 20, 2)
    (tmp_path / "engine" / "search.sqlite").mkdir()  # nothing can be written there
    with served(tmp_path / "engine", workers=0) as api:
        page = get(api, "/library")
        assert page.status_code == 200
        assert page.text.count("data-card") == 20
        assert "Nothing can be searched" in page.text
        assert get(api, "/library.json").json()["images"] == 20
        asked = get(api, "/library?q=santis")
        assert asked.status_code == 503
        assert "Nothing can be searched" in asked.text
        assert get(api, "/health").status_code == 200


def test_the_library_as_json_tells_where_values_came_from(looked: Api) -> None:
    entry = get(looked, "/library.json?limit=1").json()["entries"][0]
    found = get(looked, f"/library/{entry['id']}.json").json()
    origins = {each["name"]: each["origin"] for each in found["metadata"]}
    assert origins == {"title": "from the manifest", "caption": "from the manifest",
                       "credit": "from the file (By-line)"}  # fmt: skip
    assert found["history"][0]["what"] == "imported"
    assert get(looked, entry["thumbnail"]).headers["content-type"].startswith("image/")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/none", 404), ("/library/none", 404), ("/jobs/none.json", 404),
        ("/jobs/none.csv", 404), ("/?state=other", 400), ("/?limit=x", 400),
        ("/jobs.json?limit=-1", 400), ("/?before=none", 404), ("/library?from=tomorrow", 400),
        ("/library?to=9999-12-31", 400), (f"/jobs/{FAILED_JOB}?after=x", 400),
        (f"/jobs/{FAILED_JOB}?state=no", 400), ("/jobs/a/b", 404), ("/libraryx", 404),
        ("/migration", 404),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(looked: Api, path: str, status: int) -> None:
    answer = get(looked, path)
    assert answer.status_code == status, answer.text[:300]
    assert "Traceback" not in answer.text


def test_links_of_notifications_hold_no_secrets(tmp_path: Path, origin: Origin) -> None:
    with served(tmp_path / "engine", allow=(origin.host,)) as api:
        url = f"{origin.url('gone.jpg')}?sig=s3cret"
        job = api.start(image("1", url), webhook="http://user:s3cret@127.0.0.1:1/?token=s3cret")
        api.ended(job)
        for path in (f"/jobs/{job}", f"/jobs/{job}.json", f"/jobs/{job}.csv", "/library.json"):
            assert "s3cret" not in get(api, path).text
        hook = get(api, f"/jobs/{job}.json").json()["webhooks"][0]
        assert hook["state"] in ("waiting", "failed")
