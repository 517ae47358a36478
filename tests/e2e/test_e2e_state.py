"""A state file that is lost, made again from a server's media library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Ldimport, Origin
from places import TOKEN, Served


@pytest.fixture
def place(tmp_path: Path, origin: Origin) -> Served:
    return Served(tmp_path, "v1", origin.host)


@pytest.fixture
def served(place: Served, run: Ldimport) -> Iterator[str]:
    with place.running() as url:
        run.env |= {
            "LDIMPORT_TARGET": url,
            "LDIMPORT_TOKEN": TOKEN,
            "LDIMPORT_SYSTEM_NAME": "archiv",
            "LDIMPORT_REQUESTS_PER_SECOND": "100",
        }
        yield url


def test_the_next_submit_sends_only_what_is_missing(
    run: Ldimport, place: Served, served: str, origin: Origin, archive: Callable[..., Path]
) -> None:
    path = archive(6)
    run("submit", path, "--yes", "--limit", "4")
    run.env["LDIMPORT_STATE"] = "new.sqlite"
    token = json.loads(
        run("token", "create", "import", "--scope", "public-api:write", "--json",
            "--engine", place.engine).stdout
    )  # fmt: skip
    allowed = run.env["LDIMPORT_TOKEN"]
    run.env["LDIMPORT_TOKEN"] = token["token"]
    refused = run("state", "rebuild", path, "--project-config", place.folder
                  / "project-config.json", code=4)  # fmt: skip
    assert "public-api:read" in refused.stderr + refused.stdout
    run.env["LDIMPORT_TOKEN"] = allowed
    end = run.json("state", "rebuild", path)
    assert (end["same"], end["absent"], end["changed"]) == (4, 2, 0)
    assert run.json("state", "rebuild", path)["known"] == 4
    plan = run.json("plan", path)
    assert (plan["unchanged"], plan["new"]) == (4, 2)
    status = run.json("status")
    assert status["jobs"] == [] and status["totals"]["success"] == 4
    assert run.json("verify")["same"] == 4
    before = len(origin.asked)
    run("submit", path, "--yes")
    assert len(origin.asked) == before + 2
    assert run.json("state", "check")["sound"]
