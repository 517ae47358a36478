"""Answers of servers as they are: what is odd costs one image or one job, never the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from archives import Time, manifest, submit, summary
from hypothesis import given, settings
from hypothesis import strategies as st

from ldimport.client import LivingdocsClient
from ldimport.errors import ExitCode
from ldimport.migration import StateStore
from ldimport.migration.model import Filter
from ldimport.model import Json, Status
from ldimport.targets.livingdocs import LivingdocsTarget

Odd = Callable[[str], bytes]
"""What to answer to a question: its path -> the body, empty for the usual one."""


class Server:
    """Accepts every batch, one image a job; ``odd`` are answers to other questions."""

    def __init__(self, status: Callable[[str, Json], object], odd: Odd = lambda _: b"") -> None:
        self._status, self._odd = status, odd
        self.jobs: dict[str, list[str]] = {}
        self.library: dict[str, Mapping[str, Json]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rpartition("/api/v1/")[2]
        if odd := self._odd(f"{request.method} {path}"):
            return httpx.Response(200, content=odd)
        return httpx.Response(200, content=json.dumps(self._answer(path, request)).encode())

    def _answer(self, path: str, request: httpx.Request) -> object:
        if path == "import/images":
            job = f"job{len(self.jobs) + 1}"
            self.jobs[job] = [each["id"] for each in json.loads(request.content)["images"]]
            return {"id": job}
        if path == "mediaLibrary":
            known = self.library.get(request.url.params["externalId"])
            identity = {key: request.url.params[key] for key in ("externalId", "systemName")}
            return {"results": [] if known is None else [{**known, **identity}]}
        job = request.url.params["id"]
        entries = [
            {"state": "imported", "externalId": each, "image": {"mediaId": f"m-{each}"}}
            for each in self.jobs[job]
        ]
        usual: Json = {"finished": True, "state": "success", "id": job, "images": entries}
        return self._status(job, usual)

    def target(self) -> LivingdocsTarget:
        network = httpx.MockTransport(self)
        time = Time()
        return LivingdocsTarget(
            LivingdocsClient(
                "https://edit.example/api", "t", transport=network, patience=0, sleep=time.sleep
            )
        )


def entry(job: str, usual: Json, of: str, **changed: Json) -> Json:
    """The usual status, in which the entry of one job is another."""
    assert isinstance(usual, dict)
    (told,) = usual["images"]  # type: ignore[misc]
    changes: dict[str, Json] = {**told, **changed}  # type: ignore[dict-item]
    kept = {key: value for key, value in changes.items() if value != "left out"}
    return {**usual, "images": [kept]} if job == of else usual


def sent_singly(state: StateStore, server: Server, folder: Path) -> tuple[ExitCode, dict[str, str]]:
    """The same command twice: the last exit code, and the outcome of each image."""
    path = manifest(folder, 3)
    for _ in range(2):
        end = summary(submit(state, server.target(), path, batch_size=1))
    rows = state.results()
    return end.exit_code, {row.external_id: row.status or "open" for row in rows}


def test_an_unknown_word_costs_that_image_alone(state: StateStore, tmp_path: Path) -> None:
    server = Server(lambda job, usual: entry(job, usual, "job2", state="updated"))
    code, outcomes = sent_singly(state, server, tmp_path)
    assert code == ExitCode.FAILURES
    assert outcomes == {"id1": "success", "id2": "failed", "id3": "success"}
    (failed,) = state.results(Filter(status=Status.FAILED))
    assert (failed.reason, failed.cause) == (
        "unknown at the target: “updated”",
        "unknown-at-target",
    )
    assert failed.retryable


def test_the_media_library_settles_what_has_an_unknown_word(
    state: StateStore, tmp_path: Path
) -> None:
    server = Server(lambda job, usual: entry(job, usual, "job2", state="updated"))
    server.library["id2"] = {"id": "m-id2"}
    assert sent_singly(state, server, tmp_path)[0] == ExitCode.OK


@pytest.mark.parametrize("external_id", ["left out", None, 5, {}, "another"])
def test_an_entry_that_names_no_image_is_a_missing_result(
    state: StateStore, tmp_path: Path, external_id: Json
) -> None:
    server = Server(lambda job, usual: entry(job, usual, "job2", externalId=external_id))
    code, outcomes = sent_singly(state, server, tmp_path)
    assert code == ExitCode.FAILURES
    assert outcomes == {"id1": "success", "id2": "failed", "id3": "success"}
    (failed,) = state.results(Filter(status=Status.FAILED))
    assert (failed.cause, failed.retryable) == ("no-result", True)


@pytest.mark.parametrize(
    ("reason", "told", "cause"),
    [
        ("left out", None, "no-reason"),
        (None, None, "no-reason"),
        ({"code": 5}, '{"code": 5}', "other"),
        (17, "17", "other"),
        (False, "false", "other"),
        ([], "[]", "other"),
        ("", "", "no-reason"),
        ("half a pair \ud800", "half a pair �", "other"),
    ],
)
def test_a_failure_may_have_any_reason(
    state: StateStore, tmp_path: Path, reason: Json, told: str | None, cause: str
) -> None:
    server = Server(lambda job, usual: entry(job, usual, "job2", state="failed", reason=reason))
    code, _ = sent_singly(state, server, tmp_path)
    (failed,) = state.results(Filter(status=Status.FAILED))
    assert (code, failed.reason, failed.cause) == (ExitCode.FAILURES, told, cause)


@pytest.mark.parametrize("body", [[], None, 5, {}, {"state": 5}, {"finished": True}])
def test_a_status_that_is_none_costs_that_job_alone(
    state: StateStore, tmp_path: Path, body: Json
) -> None:
    server = Server(lambda job, usual: body if job == "job2" else usual)
    code, outcomes = sent_singly(state, server, tmp_path)
    assert code == ExitCode.CONFIG
    assert outcomes == {"id1": "success", "id2": "open", "id3": "success"}
    later = Server(lambda job, usual: usual)
    later.jobs = server.jobs
    assert sent_singly(state, later, tmp_path)[0] == ExitCode.OK


# -- any JSON anywhere -------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["success", "failed", "imported", "lost", "started", "id1", "job1"])
)
keys = st.sampled_from(
    ["state", "status", "finished", "id", "images", "externalId", "reason", "image", "mediaId",
     "width", "title", "cause", "retryable", "results", "asset", "metadata", "systemName", "error"]
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_answer_is_a_bug_of_ours_and_none_blocks_other_jobs(data: st.DataObject) -> None:
    """Any JSON instead of a status, of an entry or of one value in it, of the media library's and
    of the answer to a second POST."""
    value = data.draw(anything)
    where = data.draw(st.sampled_from(["status", "entry", *("state", "externalId", "reason")]))
    library = json.dumps(data.draw(anything)).encode() if data.draw(st.booleans()) else b""

    def status(job: str, usual: Json) -> object:
        assert isinstance(usual, dict)
        if job != "job2" or where == "status":
            return value if job == "job2" else usual
        if where == "entry":
            return {**usual, "images": [value]}
        return entry(job, usual, "job2", **{where: value})

    server = Server(status, lambda asked: library if asked.endswith("mediaLibrary") else b"")
    with TemporaryDirectory() as folder:
        state = StateStore.open(Path(folder) / "state.sqlite", write=True)
        try:
            code, outcomes = sent_singly(state, server, Path(folder))
        finally:
            state.close()
    assert code != ExitCode.BUG
    assert (outcomes["id1"], outcomes["id3"]) == ("success", "success")


@pytest.mark.parametrize(("unknown", "code"), [(3, ExitCode.OK), (1_000, ExitCode.REFUSED)])
def test_a_job_just_accepted_is_lost_only_when_the_server_says_so_for_some_seconds(
    state: StateStore, tmp_path: Path, unknown: int, code: ExitCode
) -> None:
    asked: list[str] = []

    def lagging(job: str, usual: Json) -> Json:
        asked.append(job)
        lost: Json = {"finished": False, "state": "lost", "id": f"no import job for {job}"}
        return lost if len(asked) <= unknown else usual

    server, time = Server(lagging), Time()
    end = summary(submit(state, server.target(), manifest(tmp_path, 2), time=time))
    assert (end.exit_code, len(server.jobs)) == (code, 1)
    assert sum(time.waits) < 15, "seconds, not minutes"
