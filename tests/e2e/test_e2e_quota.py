"""Quota by the command line: what plan, submit, status and watch tell of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import places
import pytest
from command_line import Ldimport, Origin
from places import Served

DAY = 86_400


def token(ends: float) -> str:
    """A JWT that ends then; nobody checks its signature."""
    parts = ({"alg": "HS256"}, {"exp": int(ends)})
    head, body = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts
    )
    return f"{head}.{body}.c2lnbmF0dXJl"


@pytest.fixture
def metered(
    run: Ldimport, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A server with a limit of 4 images a day, and a token that ends tomorrow."""
    monkeypatch.setattr(places, "TOKEN", token(time.time() + 1.5 * DAY))
    place = Served(tmp_path, "v1", origin.host)
    with place.running(limit=4) as url:
        run.env |= {"LDIMPORT_TOKEN": places.TOKEN, "LDIMPORT_TARGET": url}
        run.env["LDIMPORT_SYSTEM_NAME"] = "archiv"
        yield url


@pytest.mark.usefixtures("metered")
def test_plan_and_submit_tell_how_long_it_takes_and_that_the_token_ends_before(
    run: Ldimport, archive: Callable[..., Path]
) -> None:
    path = archive(10)
    assert "not known yet" in run("plan", path).stdout
    assert run.json("plan", path)["days"] is None
    stated = run.json("plan", path, "--daily-limit", "4")
    assert (stated["days"], stated["quota"]["room"]) == (3, 4)
    told = run("plan", path, "--daily-limit", "4").stdout
    assert "0 of 4 in 24 h → 3 days" in told and "before the move ends" in told

    done = run("submit", path, "--yes", "--json", "--daily-limit", "4", code=6)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (notice,) = [each for each in lines if each.get("code") == "token-ends-early"]
    assert "make a new token in time" in notice["text"]
    end = lines[-1]
    assert (end["totals"]["success"], end["totals"]["unsubmitted"], end["fits"]) == (4, 6, 4)
    assert end["resumeAt"] and end["finishAt"] > end["resumeAt"]


@pytest.mark.usefixtures("metered")
def test_status_tells_quota_finish_and_last_run(
    run: Ldimport, archive: Callable[..., Path], tmp_path: Path
) -> None:
    path = archive(10)
    log = tmp_path / "run.log"
    told = run("submit", path, "--yes", "--log-file", log, code=6)
    assert "Room for 4 more from " in told.stdout and "2 more days" in told.stdout
    assert "Room for 4 more from " in told.stderr
    assert json.loads(log.read_text().splitlines()[-1])["fits"] == 4
    shown = run("status").stdout
    assert "quota: 4 of 4 in 24 h · next room " in shown and "finish: about " in shown
    assert "last run: submit, " in shown and "exit 6 (quota" in shown
    (prospect,) = run.json("status")["prospects"]
    assert (prospect["quota"]["limit"], prospect["quota"]["used"], prospect["days"]) == (4, 4, 2)
    assert (prospect["lastRun"]["sent"], prospect["lastRun"]["unsent"]) == (4, 6)
    assert run.json("watch")["finishAt"] == prospect["finishAt"]


@pytest.mark.usefixtures("metered")
def test_a_reserve_is_kept_and_too_large_a_one_is_refused(
    run: Ldimport, archive: Callable[..., Path], tmp_path: Path
) -> None:
    path = archive(10)
    (tmp_path / "mine.yaml").write_text("dailyLimit: 4\nreserve: 1\n")
    config = ("--config", tmp_path / "mine.yaml")
    end = run.json("submit", path, "--yes", *config, code=6)
    assert (end["totals"]["success"], end["quota"]["reserve"], end["quota"]["room"]) == (3, 1, 0)
    refused = run.json("submit", path, *config, "--reserve", "4", code=4)
    assert refused["stopped"]["code"] == "reserve-too-large"


@pytest.mark.usefixtures("metered")
def test_a_limit_that_is_learned_in_the_run_tells_of_the_token_on_the_same_day(
    run: Ldimport, archive: Callable[..., Path]
) -> None:
    path = archive(10)
    done = run("submit", path, "--yes", "--json", code=6)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("code") for each in lines].count("token-ends-early") == 1
    assert lines[-1]["type"] == "summary"
    assert "leaves nothing" in run("plan", path, "--reserve", "4", code=4).stderr
    assert "must be a number" in run("plan", path, "--daily-limit", "1.5", code=2).stderr


@pytest.mark.usefixtures("metered")
def test_watch_tells_when_all_is_sent_by_the_quota(
    run: Ldimport, archive: Callable[..., Path]
) -> None:
    run("submit", archive(10), "--yes", "--no-wait", code=6)
    lines = [json.loads(line) for line in run("watch", "--json").stdout.splitlines()]
    told = {each["finishAt"] for each in lines if each["type"] == "progress"}
    assert told and None not in told
    assert lines[-1]["finishAt"] >= max(told)
