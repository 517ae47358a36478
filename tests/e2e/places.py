"""Three kinds of places that images go to, driven alike: the embedded engine, a running ``ldimport
serve``, and a stand-in for Livingdocs that knows the API's rules and one dialect."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import forked

from ldimport.engine import Engine
from ldimport.migration import open_target
from ldimport.targets.base import Target
from ldimport.targets.embedded import EmbeddedTarget

TOKEN = "token-of-the-scenario"
CONFIG: dict[str, Any] = {
    "$baseRevision": 7,
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text"},
                {"handle": "caption", "type": "li-text"},
            ],
        }
    ],
}


class Place(Protocol):
    """Where images go. ``keep`` remembers what it holds, ``restore`` takes it back to that, as
    after a backup: jobs accepted since are lost."""

    def open(self, *, limit: int = 0, works: bool = True) -> AbstractContextManager[Target]:
        """A target with a daily ``limit``; ``works`` False: it accepts and does nothing."""

    def keep(self) -> None: ...
    def restore(self) -> None: ...


@dataclass
class _Folder:
    """An engine's folder, kept and restored by copying."""

    folder: Path

    @property
    def engine(self) -> Path:
        return self.folder / "engine"

    def keep(self) -> None:
        shutil.copytree(self.engine, self.folder / "kept")

    def restore(self) -> None:
        shutil.rmtree(self.engine)
        (self.folder / "kept").rename(self.engine)


class Embedded(_Folder):
    """The engine in this process."""

    @contextmanager
    def open(self, *, limit: int = 0, works: bool = True) -> Iterator[Target]:
        engine = Engine(self.engine, project_config=CONFIG, daily_limit=limit)
        target = EmbeddedTarget(engine, workers=1 if works else 0)
        yield target
        target.close()


@dataclass
class Served(_Folder):
    """``ldimport serve`` as a process, always on the same port."""

    version: str = "v1"
    allow: str = ""
    port: int = 0

    @contextmanager
    def open(self, *, limit: int = 0, works: bool = True) -> Iterator[Target]:
        with self.running(limit, works) as url:
            target = open_target(url, engine=Path(), token=TOKEN, api_version=self.version)
            yield target
            target.close()

    @contextmanager
    def running(self, limit: int = 0, works: bool = True) -> Iterator[str]:
        """The server's address; SIGTERM has to end it with 0."""
        config = self.folder / "project-config.json"
        config.write_text(json.dumps(CONFIG))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LDIMPORT_", "LI_"))}
        process = subprocess.Popen(
            [*forked.command(), *("serve", "--json", "--port", str(self.port)),
             *("--engine", self.engine, "--project-config", config, "--allow-host", self.allow),
             *("--daily-limit", str(limit), "--workers", "1" if works else "0")],
            env={**kept, "HOME": str(self.folder), "LDIMPORT_SERVE_TOKEN": TOKEN},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            listening = json.loads(process.stdout.readline())
            self.port = listening["port"]
            yield listening["url"]
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert TOKEN not in said


@dataclass
class Livingdocs:
    """A scripted Livingdocs: create, update and skip as the API's page says, ``broken`` images fail
    with their reason; a ``frozen`` one updates nothing by an import. ``dialect`` is ``seed``,
    ``2025-03`` or ``2026-08``."""

    dialect: str
    broken: dict[str, str]
    limit: int = 0
    works: bool = True
    frozen: bool = False
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    library: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    created: int = 0
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, *, limit: int = 0, works: bool = True) -> Iterator[Target]:
        self.limit, self.works = limit, works
        version = {"seed": "v1", "2025-03": "2025-03", "2026-08": "2026-07"}[self.dialect]
        target = open_target(self.url, engine=Path(), token=TOKEN, api_version=version)
        yield target
        target.close()

    def keep(self) -> None:
        self.kept = set(self.jobs)

    def restore(self) -> None:
        for job in set(self.jobs) - self.kept:
            del self.jobs[job]

    # -- the server ------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[Livingdocs]:
        """Serve on the loopback address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}/proxy/api"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        place = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path.endswith("/projectConfig"):
                    self.answer(200, CONFIG)
                elif parts.path.endswith("/mediaLibrary"):
                    self.answer(200, place.find(parse_qs(parts.query)["externalId"][0]))
                else:
                    self.answer(200, place.status(parse_qs(parts.query)["id"][0]))

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(*place.patch(self.path.rpartition("/")[2], body))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(*place.accept(body))

            def answer(self, status: int, body: Any) -> None:
                place.asked.append(self.path)
                assert self.headers["Authorization"] == f"Bearer {TOKEN}"
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler

    def accept(self, body: dict[str, Any]) -> tuple[int, Any]:
        """The quota counts images created, and the whole batch."""
        trying = len(body["images"])
        if self.limit and self.created + trying > self.limit:
            refusal = {
                "status": 429,
                "error": "Usage Limit Exceeded",
                "error_details": {
                    "message": f"Your plan does not allow you to upload more than {self.limit} "
                    f"per day.\n      You already uploaded {self.created} in the last 24 hours "
                    f"and are trying to upload {trying} more.\n      Please try again later."
                },
            }
            return 429, [refusal] if self.dialect == "seed" else refusal
        job = f"{time.time_ns():x}"
        self.jobs[job] = body
        if self.works:
            body["results"] = [
                self.carried_out(body["systemName"], each) for each in body["images"]
            ]
        return 200, {"id": job}

    def carried_out(self, system_name: str, image: dict[str, Any]) -> dict[str, Any]:
        ok = "imported" if self.dialect == "2026-08" else "success"
        word = "status" if self.dialect == "seed" else "state"
        own = (
            {"title": image["fileName"]} if self.dialect == "seed" else {"systemName": system_name}
        )
        found = {"externalId": image["id"], **own}
        known = self.library.get(image["id"])
        if known is not None and (self.frozen or known["request"] == image):
            asset = known["asset"]
            return {word: "skipped", "reason": "already exists", **found, "image": asset}
        reason = self.broken.get(image["url"].rpartition("/")[2])
        if reason is not None:
            return {word: "failed", "reason": reason, **found}
        self.created += known is None
        asset = known["asset"] if known else self.asset(len(self.library))
        metadata = {"title": image["fileName"], **image["metadata"]}
        identity = {"externalId": image["id"], "systemName": system_name}
        entry = {"id": asset["mediaId"], "version": 1, "mediaType": "image", "asset": asset}
        entry |= {"metadata": metadata, **identity}
        self.library[image["id"]] = {"request": image, "asset": asset, "entry": entry}
        return {word: ok, **found, "image": asset}

    def find(self, external_id: str) -> dict[str, Any]:
        known = self.library.get(external_id)
        key = "results" if self.dialect == "2026-08" else "mediaLibraryEntries"
        return {key: [] if known is None else [known["entry"]]}

    def patch(self, media_id: str, body: dict[str, Any]) -> tuple[int, Any]:
        entries = (known["entry"] for known in self.library.values())
        entry = next(each for each in entries if each["id"] == media_id)
        if body.get("version") != entry["version"]:
            return 409, {"status": 409, "error": "Conflict"}
        entry["version"] += 1
        for patch in body["patches"]:
            assert patch["operation"] == "setMetadataProperty"
            entry["metadata"][patch["propertyName"]] = patch["value"]
        return 200, {"status": 200}

    def asset(self, n: int) -> dict[str, Any]:
        original = f"{self.url}/api/v1/images/photo?id={n}"
        return {
            "mediaId": f"media{n}",
            "originalUrl": original,
            "url": f"{original}?format=auto",
            "width": 64,
            "height": 48,
            "mimeType": "image/jpeg",
            "imageService": "imgix",
        }

    def status(self, job: str) -> dict[str, Any]:
        body = self.jobs.get(job)
        if body is None:
            return {"finished": False, "state": "lost", "id": f'no import job found for id "{job}"'}
        if "results" not in body:
            started = "2020-01-01 13:45:12"
            return {"finished": False, "state": "started", "id": job, "startedAt": started}
        return {"finished": True, "state": "success", "id": job, "images": body["results"]}
