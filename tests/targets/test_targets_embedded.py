"""The embedded engine behind the Target protocol."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ldimport.engine import Engine
from ldimport.errors import ConflictError, StateFileError
from ldimport.model import Counts, Image, ImportRequest, JobOptions, JobState, Status
from ldimport.targets.base import BatchLimits, Target
from ldimport.targets.embedded import EmbeddedTarget

GIF = bytes.fromhex("47494638396103000200800100000000ffffff2c0000000003000200000202845f003b")


class _Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(GIF)))
        self.end_headers()
        self.wfile.write(GIF)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pictures)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[EmbeddedTarget]:
    made = EmbeddedTarget(Engine(tmp_path / "engine"), workers=1)
    yield made
    made.close()
    made.close()  # twice is fine


def one(host: str) -> ImportRequest:
    return ImportRequest("archive", (Image("1", f"http://{host}/a.gif", "A", {}),))


def test_it_is_a_target_that_stays_here(target: EmbeddedTarget) -> None:
    as_protocol: Target = target
    assert as_protocol.identity == f"embedded:{target.engine.uuid}"
    assert (as_protocol.label, as_protocol.local) == ("local engine", True)
    assert as_protocol.limits == BatchLimits()


def test_a_job_goes_through_while_somebody_works(target: EmbeddedTarget, host: str) -> None:
    options = JobOptions(allow_hosts=(host,))
    with target.work():
        job_id = target.submit(one(host), "key", options)
        assert target.submit(one(host), "key", options) == job_id
        while not target.status(job_id).finished:
            time.sleep(0.01)
    status = target.status(job_id)
    assert status.state is JobState.SUCCESS
    (result,) = status.results
    assert result.status is Status.SUCCESS
    assert result.asset == target.find("archive", "1")
    assert result.asset is not None
    assert (result.asset.width, result.asset.height) == (3, 2)
    assert target.progress(job_id) == Counts(success=1)
    assert target.find("archive", "2") is None


def test_nobody_works_outside_of_work(target: EmbeddedTarget, host: str) -> None:
    job_id = target.submit(one(host), "key", JobOptions(allow_hosts=(host,)))
    with target.work():
        pass
    assert target.progress(job_id) == Counts(pending=1)


def test_the_project_config_in_force_is_told(target: EmbeddedTarget) -> None:
    config = target.project_config()
    assert isinstance(config, dict)
    assert "mediaTypes" in config


def test_what_ends_the_workers_is_raised_to_who_waits(target: EmbeddedTarget, host: str) -> None:
    (target.engine.folder / "tmp").write_bytes(b"in the way")
    job_id = target.submit(one(host), "key", JobOptions(allow_hosts=(host,)))
    with pytest.raises(StateFileError, match="tmp"), target.work():
        while not target.status(job_id).finished:
            time.sleep(0.01)


def test_properties_of_the_engine_are_patched(target: EmbeddedTarget, host: str) -> None:
    target.submit(one(host), "key", JobOptions(allow_hosts=(host,)))
    target.engine.run(workers=0)
    found = target.find("archive", "1")
    assert found is not None and found.version is not None
    target.patch(found.media_id, {"caption": "new"}, found.version)
    entry = target.engine.find("archive", "1")
    assert entry is not None and entry.metadata["caption"] == "new"
    with pytest.raises(ConflictError):
        target.patch(found.media_id, {"caption": "newer"}, found.version)
