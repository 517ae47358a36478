"""The command line against a running ``ldimport serve``, as a user runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import Ldimport, Origin, photo
from places import TOKEN, Livingdocs, Served


@pytest.fixture
def place(tmp_path: Path, origin: Origin) -> Served:
    return Served(tmp_path, "v1", origin.host)


@pytest.fixture
def served(place: Served, run: Ldimport) -> Iterator[str]:
    """The address of a server that the command line has for its target."""
    with place.running() as url:
        use(run, url)
        yield url


def use(run: Ldimport, url: str) -> None:
    run.env |= {"LDIMPORT_TARGET": url, "LDIMPORT_TOKEN": TOKEN, "LDIMPORT_SYSTEM_NAME": "archiv"}


def test_a_migration_from_the_first_look_to_the_map_of_ids(
    run: Ldimport, served: str, origin: Origin, archive: Callable[..., Path], tmp_path: Path
) -> None:
    checked = run("config", "check")
    assert "✗" not in checked.stdout and "API version v1 ends on 2027-03-01" in checked.stderr
    shown = run.json("config", "show")["settings"]
    assert shown["token"] == {"value": "********", "source": "environment LDIMPORT_TOKEN"}
    run("init", "start", code=2)
    (tmp_path / "start").mkdir()
    run("init", "start")
    assert f'target: "{served}"' in (tmp_path / "start" / "ldimport.yaml").read_text()
    assert "metadata.caption" in (tmp_path / "start" / "manifest-template.csv").read_text()

    path = archive(4)
    path.write_text(path.read_text() + f"bad,{origin.url('no-such.jpg')},Not there\n")
    assert "API version v1 ends on 2027-03-01" in run("plan", path).stderr
    assert run.json("plan", path)["new"] == 5
    assert "new on" in run("submit", path, code=2).stderr
    done = run("submit", path, "--yes", "--json", code=1)
    assert (done.stdout + done.stderr).count("API version v1 ends on 2027-03-01") == 1
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["totals"]["success"], end["totals"]["failed"]) == (4, 1)
    (job,) = end["jobs"]
    told = run.json("status", job["id"])
    assert [each["status"] for each in told["images"]] == ["success"] * 4 + ["failed"]
    assert run.json("status")["totals"]["success"] == 4
    assert "No job is running" in run("watch").stdout

    origin.files["no-such.jpg"] = photo(99)
    assert run.json("retry", "--all")["totals"]["success"] == 1
    found = run.json("results")["results"]
    assert {row["status"] for row in found} == {"success"}
    assert all(row["originalUrl"].startswith(f"{served}/api/v1/images/") for row in found)
    assert run.json("submit", path)["jobs"] == []


def test_jobs_go_on_without_us_and_watch_follows_them(
    run: Ldimport, place: Served, archive: Callable[..., Path]
) -> None:
    path = archive(3)
    with place.running(works=False) as url:
        use(run, url)
        (job,) = run.json("submit", path, "--yes", "--no-wait")["jobs"]
        told = run.json("status", job["id"])
        assert (told["finished"], told["state"], told["id"]) == (False, "started", job["id"])
        assert told["startedAt"]
        run("status", job["id"], "--exit-status", code=8)
        run("watch", "--deadline", "1s", code=8)
    with place.running():
        assert run.json("watch")["totals"]["success"] == 3
        run("status", job["id"], "--exit-status")


def test_a_quota_ends_the_run_and_the_same_command_goes_on_later(
    run: Ldimport, place: Served, archive: Callable[..., Path]
) -> None:
    path = archive(5)
    with place.running(limit=4) as url:
        use(run, url)
        done = run("submit", path, "--yes", "--batch-size", "2", code=6)
        assert "Quota reached: 4 of 4 images" in done.stdout
        assert "goes on where it stopped" in done.stdout
    with place.running():
        assert run.json("submit", path)["totals"]["success"] == 5


def test_a_refused_token_is_named_by_its_place_and_shown_nowhere(
    run: Ldimport, served: str, archive: Callable[..., Path], tmp_path: Path
) -> None:
    wrong = "a-token-that-nobody-may-see"
    run("submit", archive(2), "--yes")
    run.env["LDIMPORT_TOKEN"] = wrong
    log, report = tmp_path / "run.log", tmp_path / "report.xml"
    said = [
        run("submit", archive(3), "-vv", "--log-file", log, "--junitxml", report, code=4),
        run("submit", archive(3), "--json", code=4),
        run("config", "check", code=4),
        run("config", "show", "--json"),
        run("watch"),
    ]
    assert "read from environment LDIMPORT_TOKEN" in said[0].stderr
    assert json.loads(said[1].stdout.splitlines()[-1])["code"] == "unauthorized"
    texts = [each.stdout + each.stderr for each in said]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [text for text in texts if wrong in text or TOKEN in text]
    for path in files:
        content = path.read_bytes()
        assert wrong.encode() not in content, path
        assert TOKEN.encode() not in content, path


def test_watch_and_retry_need_no_scope_for_the_project_config(
    run: Ldimport, origin: Origin, archive: Callable[..., Path]
) -> None:
    with Livingdocs("seed", {"1.jpg": "Could not upload image"}).running() as server:
        use(run, server.url)
        run("submit", archive(2), "--yes", code=1)
        server.asked.clear()
        run("watch")
        server.broken.clear()
        run("retry")
        assert server.asked
        assert not [path for path in server.asked if "projectConfig" in path]


def test_what_lies_at_another_target_is_never_called_nothing(
    run: Ldimport, origin: Origin, archive: Callable[..., Path]
) -> None:
    with Livingdocs("seed", {"1.jpg": "Could not upload image"}).running() as server:
        use(run, server.url)
        (job,) = run.json("submit", archive(2), "--yes", "--no-wait")["jobs"]
        del run.env["LDIMPORT_TARGET"]
        assert f"the job is at {server.url}" in run("status", job["id"]).stderr
        done = run("watch", code=2)
        assert f"1 job is under way at {server.url}" in done.stderr
        assert f"ldimport watch --target {server.url}" in done.stderr
        run("watch", "--target", server.url, code=1)
        assert "No job is running" in run("watch").stdout
        done = run("retry", code=2)
        assert f"1 image failed at {server.url}" in done.stderr
        assert f"ldimport retry --target {server.url}" in done.stderr


def test_a_run_at_one_target_leaves_the_other_alone_and_names_it(
    run: Ldimport, origin: Origin, archive: Callable[..., Path]
) -> None:
    """A token goes to no other target, and the jobs of the other one stay as they were."""
    with Livingdocs("seed", {"1.jpg": "Could not upload image"}).running() as server:
        use(run, server.url)
        first = archive(2)
        (there,) = run.json("submit", first, "--yes", "--no-wait")["jobs"]
        own = ("--target", "embedded", "--allow-host", origin.host)
        (here,) = run.json("submit", first, *own, "--no-wait")["jobs"]
        server.asked.clear()
        done = run("watch", "--target", "embedded")
        assert server.asked == [], "the local engine is in force"
        host = server.url.split("/")[2]
        said = f"also in the state file: archiv at {host} (2)"
        assert f"→ ldimport status --all --target embedded   {said}" in done.stderr
        assert not run.json("status", there["id"], "--offline")["finished"]
        run("submit", first, *own, "--resend", "--no-wait")
        done = run("watch", code=1)
        assert [path for path in server.asked if there["id"] in path]
        assert not [path for path in server.asked if here["id"] in path]
        done = run("retry", code=1)
        assert "archiv at local engine" not in done.stderr, "nothing of it has failed"
        found = run.json("status", "--all")["scopes"]
        assert [each["label"] for each in found] == [host, "local engine"]


def ended_by_deadline(done: subprocess.CompletedProcess[str], words: str) -> None:
    """The server was waited for; a machine that is slow enough never came to ask it."""
    if done.returncode == 8:
        assert "stopped after 1 s, as asked" in done.stderr
    else:
        assert done.returncode == 5 and words in done.stderr


@pytest.mark.parametrize("named", [True, False])
def test_a_deadline_holds_against_a_server_that_is_silent(
    run: Ldimport, samples: Path, archive: Callable[..., Path], named: bool
) -> None:
    own = ["--project-config", samples / "project-config.json"] if named else []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(run, f"http://127.0.0.1:{silent.getsockname()[1]}")
        options = ("--yes", "--deadline", "1s", *own)
        ended_by_deadline(run("submit", archive(1), *options, code=None), "did not answer")


def test_a_deadline_holds_against_a_standard_input_that_is_silent(run: Ldimport) -> None:
    read, write = os.pipe()
    with open(read, "rb") as silent, open(write, "wb"):  # noqa: PTH123
        done = subprocess.run(
            run.command("submit", "-", "--deadline", "1s", "--json"),
            stdin=silent, cwd=run.folder, env=run.env, capture_output=True, check=False,
        )  # fmt: skip
    assert done.returncode == 8
    assert json.loads(done.stdout)["code"] == "deadline"


def test_a_deadline_bounds_the_wait_for_a_server_that_is_not_there(
    run: Ldimport, archive: Callable[..., Path]
) -> None:
    use(run, "http://127.0.0.1:1")
    done = run("submit", archive(1), "--yes", "--deadline", "1s", code=None)
    ended_by_deadline(done, "did not answer: connection refused")
    assert "8 tries" not in done.stderr


@pytest.mark.parametrize("options", [(), ("-q",), ("--json",)])
def test_unchecked_certificates_are_said_out_loud(
    run: Ldimport, served: str, archive: Callable[..., Path], options: tuple[str, ...]
) -> None:
    assert "certificates are not checked" not in run("plan", archive(1), *options).stderr
    said = run("plan", archive(1), "--insecure", *options).stderr
    assert "certificates are not checked (--insecure)" in said


# -- webhooks ------------------------------------------------------------------------------


@pytest.fixture
def hooks() -> Iterator[tuple[str, list[Any]]]:
    """Host and port of a receiver, and what it got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_local_engine_sends_webhooks_while_it_works(
    run: Ldimport, archive: Callable[..., Path], origin: Origin, hooks: tuple[str, list[Any]]
) -> None:
    host, got = hooks
    context = {"run": "nightly ü"}
    (run.folder / "context.json").write_text(json.dumps(context))
    run("submit", archive(2), "--webhook", f"http://{host}/hook", "--context", "@context.json",
        "--allow-host", origin.host, "--allow-host", host)  # fmt: skip
    (hook,) = got
    assert len(hook["context"].pop("ldimportBatch")) == 32
    assert (hook["state"], hook["context"]) == ("success", context)
    assert hook["overview"]["details"] == {"success": 2, "skipped": 0, "failed": 0}
    assert hook["id"] == run.json("status")["jobs"][0]["id"]


def test_a_webhook_that_does_not_arrive_is_told(
    run: Ldimport, archive: Callable[..., Path], origin: Origin
) -> None:
    done = run("submit", archive(1), "--webhook", "http://127.0.0.1:1/hook?key=secret",
               "--allow-host", origin.host)  # fmt: skip
    assert "webhook of job" in done.stderr
    assert "http://127.0.0.1:1/hook" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--webhook", "ftp://a.example/hook"), "must be an http or https URL"),
        (("--webhook", "not a url"), "must be an http or https URL"),
        (("--context", "[1]"), "must be a JSON object"),
        (("--context", "{"), "must be a JSON object"),
        (("--context", "@nothing.json"), "cannot be read"),
        (("--context", json.dumps({"ab": "ü" * 4_092})), "8,193 bytes"),
    ],
)
def test_a_webhook_or_context_that_the_api_refuses_is_refused_here(
    run: Ldimport, archive: Callable[..., Path], options: tuple[str, ...], words: str
) -> None:
    assert words in run("submit", archive(1), *options, code=2).stderr
