"""Settings of the engine and of fetching, from the command line to what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from command_line import Ldimport, Origin, photo

Archive = Callable[..., Path]
PROJECT = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [{"handle": "caption", "type": "li-text", "config": {"maxLength": 5}}],
        }
    ]
}


@pytest.fixture
def choosy() -> Iterator[str]:
    """The address of an origin that lets in who is called Firefox."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["User-Agent"] == "Firefox" else 403)
            self.end_headers()
            self.wfile.write(photo(1))

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def one(folder: Path, url: str) -> Path:
    path = folder / "archive.csv"
    path.write_text(f"id,url,fileName\na,{url},A\n")
    return path


@pytest.mark.parametrize("way", ["option", "file"])
def test_a_403_names_the_name_and_retry_uses_another(
    run: Ldimport, tmp_path: Path, choosy: str, way: str
) -> None:
    manifest = one(tmp_path, f"http://{choosy}/a.jpg")
    failed = run("submit", manifest, "--allow-host", choosy, code=1)
    assert "--user-agent" in failed.stdout + failed.stderr
    assert "User-Agent “ldimport/" in run("results", "--failed").stdout
    assert "userAgent" in run("explain", "origin-403").stdout
    options = ["--user-agent", "Firefox"]
    if way == "file":
        options = []
        (tmp_path / "ldimport.yaml").write_text("userAgent: Firefox\n")
    assert run.json("retry", *options)["totals"]["success"] == 1


def test_a_name_that_is_no_header_is_refused(run: Ldimport, archive: Archive) -> None:
    done = run("submit", archive(1), "--user-agent", "a\nb", code=2)
    assert "--user-agent must be printable ASCII on one line" in done.stderr


def test_options_of_the_engine_are_refused_where_a_server_decides(
    run: Ldimport, archive: Archive
) -> None:
    words = ("--target", "https://server.example", "--system-name", "a", "--user-agent", "x")
    done = run("submit", archive(1), *words, code=2)
    assert "--user-agent is for the local engine" in done.stderr


@pytest.mark.parametrize("command", ["submit", "retry"])
def test_a_file_of_certificates_that_is_none_ends_with_its_name(
    run: Ldimport, archive: Archive, tmp_path: Path, command: str
) -> None:
    (tmp_path / "mine.yaml").write_text("caFile: none.pem\n")
    words = [archive(1)] if command == "submit" else []
    done = run(command, *words, "--config", "mine.yaml", code=4)
    assert f"caFile names {tmp_path / 'none.pem'}, which cannot be read" in done.stderr


def test_batches_are_as_small_as_the_body_may_be(
    run: Ldimport, archive: Archive, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("engine: {limits: {body: 1000}}\n")
    words = ("--config", "mine.yaml", "--allow-host", origin.host)
    assert run.json("submit", archive(20), *words)["totals"]["success"] == 20
    assert len(run.json("status")["jobs"]) > 1


def test_urls_without_an_image_service_and_a_changed_entry(
    run: Ldimport, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("engine: {variants: none, publicUrl: https://p.example}\n")
    words = ("--config", "mine.yaml", "--allow-host", origin.host)
    for name in ("A", "B", "B"):
        path = tmp_path / "archive.csv"
        path.write_text(f"id,url,fileName\na,{origin.url('1.jpg')},{name}\n")
        run("submit", path, *words)
    rows = run("results", "--format", "json").stdout
    (row,) = json.loads(rows)["results"]
    assert row["url"] == row["originalUrl"] and row["url"].startswith("https://p.example/")
    assert row["title"] == "B" and not row.get("notTakenOver")


# -- lenient -------------------------------------------------------------------------------


@pytest.fixture
def long_caption(tmp_path: Path, origin: Origin) -> Path:
    (tmp_path / "project.json").write_text(json.dumps(PROJECT))
    path = tmp_path / "archive.csv"
    path.write_text(f"id,url,fileName,metadata.caption\na,{origin.url('1.jpg')},A,far too long\n")
    return path


@pytest.mark.parametrize("way", ["option", "block"])
def test_lenient_means_the_same_to_validate_and_to_submit(
    run: Ldimport, long_caption: Path, origin: Origin, tmp_path: Path, way: str
) -> None:
    words = ["--project-config", "project.json"]
    run("validate", long_caption, *words, code=3)
    if way == "option":
        words += ["--lenient"]
    else:
        (tmp_path / "mine.yaml").write_text("engine: {publishing: warn}\n")
        words += ["--config", "mine.yaml"]
    run("validate", long_caption, *words)
    run("submit", long_caption, *words, "--allow-host", origin.host)


def test_lenient_reaches_a_server_of_our_own(
    run: Ldimport, long_caption: Path, origin: Origin
) -> None:
    token = {"LDIMPORT_SERVE_TOKEN": "secret", "LDIMPORT_TOKEN": "secret"}
    run.env |= token
    import subprocess

    server = subprocess.Popen(
        [*run.command("serve", "--port", "0", "--json", "--project-config", "project.json",
                      "--workers", "1", "--allow-host", origin.host)],
        cwd=run.folder, env=run.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        words = (long_caption, "--target", url, "--system-name", "a", "--yes")
        run("submit", *words, code=3)
        (run.folder / "loose.json").write_text(json.dumps(PROJECT).replace('"maxLength": 5', ""))
        run("submit", *words, "--project-config", "loose.json", code=1)  # the server is strict
        again = ("retry", "--target", url, "--system-name", "a")
        assert run.json(*again, "--all", code=1)["totals"]["failed"] == 1
        assert run.json(*again, "--lenient")["totals"]["success"] == 1
        long_caption.write_text(long_caption.read_text().replace("far", "still far"))
        assert run.json("submit", *words, "--lenient")["totals"]["success"] == 1
    finally:
        server.terminate()
        server.communicate()


def test_retry_obeys_what_is_set_now_and_else_what_was(
    run: Ldimport, archive: Archive, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "png.yaml").write_text("engine: {formats: [png]}\n")
    (tmp_path / "both.yaml").write_text("engine: {formats: [png, jpg]}\n")
    run("submit", archive(1), "--allow-host", origin.host, "--config", "png.yaml", code=1)
    assert run.json("retry", "--all", code=1)["totals"]["failed"] == 1
    assert run.json("retry", code=1)["jobs"] == [], "nothing is otherwise this time"
    assert run.json("retry", "--config", "both.yaml")["totals"]["success"] == 1
