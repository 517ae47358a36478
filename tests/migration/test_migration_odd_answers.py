"""Answers of servers as they are: what is odd costs one image or one job, never the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from archives import Time, manifest, submit, summary
from hypothesis import given, settings
from hypothesis import strategies as st
from standin import StandIn

from ldimport.client import LivingdocsClient
from ldimport.errors import ExitCode, InvalidRequestError
from ldimport.migration import StateStore
from ldimport.migration.model import Filter
from ldimport.model import ImportRequest, Json, Status
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
        answer = self._answer(path, request)
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, content=json.dumps(answer).encode())

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
                "https://edit.example/api",
                "a-token",
                transport=network,
                patience=0,
                sleep=time.sleep,
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


def told(body: str | bytes, status: int = 200) -> httpx.Response:
    media_type = "text/html" if body[:1] in ("<", b"<") else "application/json"
    return httpx.Response(status, content=body, headers={"Content-Type": media_type})


UNREADABLE = {
    "nested too deeply": lambda: told('{"state":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "too long a number": lambda: told('{"state":"success","id":%s}' % ("9" * 5_000)),
    "cut off": lambda: told('{"finished":true,"sta'),
    "empty": lambda: told(""),
    "a page": lambda: told("<html>Bad Gateway</html>"),
    "an error": lambda: told('{"status":500,"error":"Internal Server Error"}', 500),
    "a firewall": lambda: told("<html>no</html>", 403),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_nobody_can_read_costs_that_job_alone(
    state: StateStore, tmp_path: Path, answer: Callable[[], httpx.Response]
) -> None:
    server = Server(lambda job, usual: answer() if job == "job2" else usual)
    path = manifest(tmp_path, 3)
    end = summary(submit(state, server.target(), path, batch_size=1))
    assert end.exit_code in (ExitCode.CONFIG, ExitCode.TEMPORARY)
    assert (end.totals.success, end.totals.pending) == (2, 1)
    later = Server(lambda job, usual: usual)
    later.jobs = server.jobs
    assert summary(submit(state, later.target(), path)).exit_code == ExitCode.OK
    assert len(later.jobs) == 3


@pytest.mark.parametrize("answer", [*UNREADABLE.values()][2:], ids=[*UNREADABLE][2:])
def test_a_batch_that_gets_no_sensible_answer_keeps_no_other_from_arriving(
    state: StateStore, tmp_path: Path, answer: Callable[[], httpx.Response]
) -> None:
    class Blocking(Server):
        def _answer(self, path: str, request: httpx.Request) -> object:
            odd = path == "import/images" and b'"id2"' in request.content
            return answer() if odd else super()._answer(path, request)

    code, outcomes = sent_singly(state, Blocking(lambda job, usual: usual), tmp_path)
    assert code in (ExitCode.CONFIG, ExitCode.TEMPORARY)
    assert outcomes == {"id1": "success", "id2": "open", "id3": "success"}


def test_a_server_that_answers_nobody_is_not_asked_about_each_job(
    state: StateStore, tmp_path: Path
) -> None:
    asked: list[str] = []

    def broken(job: str, usual: Json) -> object:
        asked.append(job)
        return UNREADABLE["an error"]()

    end = summary(submit(state, Server(broken).target(), manifest(tmp_path, 9), batch_size=1))
    assert (end.exit_code, end.totals.pending, len(asked)) == (ExitCode.TEMPORARY, 9, 2)


@pytest.mark.parametrize(
    "job_id", ["", " ", "j" * 1_001, "j" * 3_000_000, 17, None, ["a"], "\0\x1b"]
)
def test_a_job_may_have_any_id(state: StateStore, tmp_path: Path, job_id: Json) -> None:
    class Naming(Server):
        def _answer(self, path: str, request: httpx.Request) -> object:
            odd = path == "import/images" and b'"id2"' in request.content
            lost: Json = {"finished": False, "state": "lost", "id": "none of this id"}
            about = request.url.params.get("id", "job1")
            if not odd and about not in self.jobs and path != "import/images":
                return lost
            return {"id": job_id} if odd else super()._answer(path, request)

    code, outcomes = sent_singly(state, Naming(lambda job, usual: usual), tmp_path)
    assert code in (ExitCode.CONFIG, ExitCode.REFUSED)
    assert (outcomes["id1"], outcomes["id3"]) == ("success", "success")


@pytest.mark.parametrize(
    "words", [{"state": None, "status": "success"}, {"state": "imported", "status": "?"}]
)
def test_either_word_of_an_outcome_counts(
    state: StateStore, tmp_path: Path, words: dict[str, Json]
) -> None:
    server = Server(lambda job, usual: entry(job, usual, "job2", **words))
    assert sent_singly(state, server, tmp_path)[0] == ExitCode.OK


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"mediaId": "m", "url": None}, ("m", "")),
        ({"mediaId": 17, "url": ["u"]}, ("17", '["u"]')),
        ({"mediaId": {"a": 1}}, ('{"a": 1}', "")),
        ({}, ("", "")),
    ],
)
def test_what_an_image_lacks_is_not_made_up(
    state: StateStore, tmp_path: Path, image: Json, told: tuple[str, str]
) -> None:
    server = Server(lambda job, usual: entry(job, usual, "job2", image=image))
    assert sent_singly(state, server, tmp_path)[0] == ExitCode.OK
    (row,) = [each for each in state.results() if each.external_id == "id2"]
    assert (row.media_id or "", row.url or "") == told


@pytest.mark.parametrize("finished", [1, "true", True])
def test_a_job_of_an_unknown_state_that_has_finished_is_not_waited_for(
    state: StateStore, tmp_path: Path, finished: Json
) -> None:
    def done(job: str, usual: Json) -> Json:
        assert isinstance(usual, dict)
        return {**usual, "state": "done", "finished": finished}

    assert sent_singly(state, Server(done), tmp_path)[0] == ExitCode.OK


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


@pytest.mark.parametrize(
    ("unknown", "code", "jobs"), [(3, ExitCode.OK, 1), (1_000, ExitCode.REFUSED, 2)]
)
def test_a_job_just_accepted_is_lost_only_when_the_server_says_so_for_some_seconds(
    state: StateStore, tmp_path: Path, unknown: int, code: ExitCode, jobs: int
) -> None:
    asked: list[str] = []

    def lagging(job: str, usual: Json) -> Json:
        asked.append(job)
        lost: Json = {"finished": False, "state": "lost", "id": f"no import job for {job}"}
        return lost if len(asked) <= unknown else usual

    server, time = Server(lagging), Time()
    end = summary(submit(state, server.target(), manifest(tmp_path, 2), time=time))
    assert (end.exit_code, len(server.jobs)) == (code, jobs), "it is sent again, once"
    assert 3 < sum(time.waits) / jobs < 10, "seconds, not minutes"


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again_later(
    state: StateStore, tmp_path: Path, status: int
) -> None:
    asked: list[str] = []

    def busy(job: str, usual: Json) -> object:
        asked.append(job)
        return httpx.Response(status) if len(asked) <= 4 else usual

    server, time = Server(busy), Time()
    end = summary(submit(state, server.target(), manifest(tmp_path, 2), time=time))
    assert (end.exit_code, len(asked)) == (ExitCode.OK, 5)
    assert sum(time.waits) > 1 + 2 + 4 + 8


def refusing(*wrong: str, only_first: bool = False) -> StandIn:
    """A target that does not accept the entries with these ids, and says which."""

    def look(request: ImportRequest) -> None:
        found = {f"images.{n}.url": "is not allowed here"
                 for n, each in enumerate(request.images) if each.id in wrong}  # fmt: skip
        if found:
            raise InvalidRequestError(dict(islice(found.items(), 1 if only_first else None)))

    return StandIn(before=look, looks=1)


@pytest.mark.parametrize("only_first", [False, True])
def test_entries_that_a_target_refuses_by_name_stay_behind_alone(
    state: StateStore, tmp_path: Path, only_first: bool
) -> None:
    target, path = refusing("id2", "id5", only_first=only_first), manifest(tmp_path, 7)
    for _ in range(2):  # the second run meets nothing but them
        end = summary(submit(state, target, path))
        assert (end.totals.success, end.totals.failed, end.totals.unsubmitted) == (5, 0, 2)
        assert end.exit_code == ExitCode.REFUSED
        assert isinstance(end.stopped, InvalidRequestError)
        assert end.stopped.facts["row 2"] == "id2: url: is not allowed here"
    assert summary(submit(state, StandIn(looks=1), path)).totals.success == 7


def test_a_target_that_refuses_every_entry_ends_the_run(state: StateStore, tmp_path: Path) -> None:
    target = refusing(*(f"id{n}" for n in range(1, 51)), only_first=True)
    end = summary(submit(state, target, manifest(tmp_path, 50)))
    assert (end.exit_code, end.totals.unsubmitted) == (ExitCode.REFUSED, 50)
    assert len(target.requests) < 15


def test_a_refusal_that_names_no_entry_ends_the_run(state: StateStore, tmp_path: Path) -> None:
    def look(request: ImportRequest) -> None:
        raise InvalidRequestError({"systemName": "is not known", "images.99.url": "x"})

    end = summary(submit(state, StandIn(before=look), manifest(tmp_path, 3)))
    assert (end.exit_code, end.totals.unsubmitted) == (ExitCode.REFUSED, 3)
