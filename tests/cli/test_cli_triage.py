"""``retry`` and ``waive`` on a state file of the version before: what is sent, left, accepted."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_cli_archive import no_settings

from ldimport.cli import main
from ldimport.errors import ExitCode
from ldimport.migration import StateStore

FIXTURE = Path(__file__).parent.parent / "fixtures" / "schema_4"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    """Run a command line in a folder whose state file is of the version before: a-1 and a-2
    arrived, a-3 (no image), a-4 (unreachable) and a-5 (no such file) failed, b-1 and b-2 are in an
    open job."""
    no_settings(monkeypatch, tmp_path / "home")
    place = shutil.copytree(FIXTURE, tmp_path / "place")
    monkeypatch.chdir(place / "manifests")
    monkeypatch.setenv("LDIMPORT_STATE", str(place / "state.sqlite"))
    monkeypatch.setenv("LDIMPORT_ENGINE", str(place / "engine"))
    monkeypatch.setenv("LDIMPORT_SYSTEM_NAME", "archive")

    def run(line: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(shlex.split(line))
        out, err = capfd.readouterr()
        return code, out, err

    yield run


def document(call: Call, line: str) -> dict[str, Any]:
    out = call(f"{line} --json")[1]
    found: dict[str, Any] = json.loads(out if line.startswith("results") else out.splitlines()[-1])
    return found


def events(call: Call, line: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in call(f"{line} --json")[1].splitlines()]


def ids(call: Call, line: str) -> list[str]:
    return [row["externalId"] for row in document(call, line)["results"]]


# -- retry ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("", ["a-4"]),
        ("--all", ["a-3", "a-4", "a-5"]),
        ("--cause not-an-image", ["a-3"]),
        ("--host 127.0.0.1:1", ["a-4"]),
        ("a-5", ["a-5"]),
        ("a-5 a-3 --cause not-an-image", ["a-3"]),
        ("--all --job g9jpc6jo5z01w4", ["a-3", "a-4", "a-5"]),
        ("--all --job hnhv0i4tefja9o", []),
        ("--all --older-than 9999d", []),
        ("--all --older-than 0s", ["a-3", "a-4", "a-5"]),
    ],
)
def test_retry_sends_those_that_are_meant(call: Call, words: str, sent: list[str]) -> None:
    before = {row["externalId"]: row["attempts"] for row in document(call, "results")["results"]}
    told = events(call, f"retry {words}")
    after = {row["externalId"]: row["attempts"] for row in document(call, "results")["results"]}
    assert [id_ for id_ in before if after[id_] > before[id_] and id_[0] == "a"] == sent
    (split,) = [each for each in told if each["type"] == "retry"]
    assert (split["sent"], split["left"]) == (len(sent), 3 - len(sent))
    left = [each for each in told if each["type"] == "left"]
    assert sum(each["images"] for each in left) == 3 - len(sent)
    assert told[-1]["exitCode"] == ExitCode.FAILURES


def test_retry_says_what_needs_a_change_first(call: Call) -> None:
    code, out, err = call("retry")
    assert code == 1
    assert "plan      1 to send again, 2 left" in err
    assert "the file is no image”: needs a change; --all sends it" in err
    call("waive a-4 b-1 b-2 --reason x")
    code, out, _ = call("retry")
    assert code == 1 and "✓ Nothing to retry: 2 failed images need a change first" in out
    assert "left: --all sends these too" in out and "✓ send again" not in out
    assert "→ ldimport results --failed" in out and "→ ldimport retry --all" in out


def test_retry_of_what_is_no_failure(call: Call) -> None:
    code, _, err = call("retry a-33")
    assert code == 2 and "no image “a-33”" in err and "did you mean a-3?" in err
    code, _, err = call("retry a-1 a-4")
    assert code == 1 and "! a-1 has not failed, and is left alone" in err
    for words, said in (
        ("--host nowhere.example", "no image came from the host"),
        ("--older-than soon", "is not a time"),
        ("--cause nonsense", "there is no cause"),
    ):
        code, _, err = call(f"retry {words}")
        assert code == 2 and said in err


def test_all_archives_is_another_word(call: Call) -> None:
    assert call("retry --all-archives")[0] == 1
    assert call("status --all")[0] == 0


# -- waive ---------------------------------------------------------------------------------


def test_a_waived_failure_is_open_no_more(call: Call, tmp_path: Path) -> None:
    call("submit m.csv")
    code, out, _ = call('waive a-3 a-4 --reason "the original is lost"')
    assert code == 0 and "✓ 2 failed images waived: the original is lost" in out
    assert "4 of 7 images arrived or are waived; 3 still failed" in out
    assert ids(call, "results --waived") == ["a-3", "a-4"]
    assert ids(call, "results --failed") == ["b-1", "b-2", "a-5"]
    code, out, _ = call("waive --cause no-such-file --reason gone")
    assert code == 0 and "done: all 7 images arrived or are waived" in out
    assert (call("retry")[0], call("watch")[0]) == (0, 0)
    rows = document(call, "results --waived")["results"]
    (job,) = {row["jobId"] for row in rows if row["externalId"] == "a-3"}
    assert call(f"status {job} --exit-status")[0] == 0
    assert call("waive a-3 --undo")[0] == 0
    assert call(f"status {job} --exit-status")[0] == 1
    call("waive a-3 --reason again")
    sums = document(call, "status")["totals"]
    assert (sums["success"] + sums["skipped"] + sums["waived"], sums["failed"]) == (7, 0)
    plan = document(call, "plan m.csv")
    assert (plan["unchanged"], plan["waived"], plan["failed"], plan["entries"]) == (2, 3, 0, 5)


def test_every_report_lists_what_was_waived_with_its_reason(call: Call, tmp_path: Path) -> None:
    call("submit m.csv")  # its files have another time than in the fixture
    call("waive a-3 a-4 a-5 --reason 'the original is lost'")
    row = next(
        r for r in csv.DictReader(io.StringIO(call("results")[1])) if r["externalId"] == "a-3"
    )
    assert (row["status"], row["waivedBecause"]) == ("failed", "the original is lost")
    assert "the original is lost" in call("results --format table")[1]
    assert "the original is lost" in call("explain a-3")[1]
    assert "waived: 3" in call("status")[1]
    code, out, _ = call("submit m.csv --junitxml report.xml")
    assert code == 0 and "2 of 5 entries are in the local engine" in out
    assert "– 3 failures waived: the original is lost (a-3, a-4 …)" in out
    suite = ET.parse("report.xml").getroot()
    assert suite.get("failures") == "0"
    assert "waived: the original is lost" in [case.get("name") for case in suite.iter("testcase")]
    end = document(call, "submit m.csv")
    assert end["totals"]["waived"] == 3 and end["waived"][0]["images"] == 3


def test_waivers_end_by_undoing_or_by_editing_the_row(call: Call) -> None:
    call("submit m.csv")
    call("waive a-3 a-4 --reason x")
    code, out, _ = call("waive a-4 --undo")
    assert code == 0 and "1 failed image no longer waived" in out
    assert ids(call, "results --waived") == ["a-3"]
    manifest = Path("m.csv").read_bytes()
    Path("m.csv").write_bytes(manifest.replace(b"Bild a-3", b"Bild neu"))
    assert document(call, "plan m.csv")["changed"] == 1
    call("submit m.csv")
    assert ids(call, "results --waived") == [] and "a-3" in ids(call, "results --failed")
    assert document(call, "status")["totals"]["waived"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a-3", "needs a reason"),
        ("a-3 --reason ' '", "needs a reason"),
        ("--reason x", "which failures"),
        ("a-1 --reason x", "none of these images has failed"),
        ("b-1 --reason x", "none of these images has failed"),
        ("a-3 a-77 --reason x", "no image “a-77”"),
        ("--cause origin-404 --reason x", "no image of these has failed"),
        ("--cause nonsense --reason x", "there is no cause"),
        ("--host h.example --reason x", "no image came from"),
        ("--file nowhere.txt --reason x", "no such file"),
        ("a-3 --undo", "none of these images is waived"),
        ("a-3 --undo --reason x", "takes no --reason"),
    ],
)
def test_what_cannot_be_waived_changes_nothing(call: Call, words: str, said: str) -> None:
    code, _, err = call(f"waive {words}")
    assert code == 2 and said in err
    assert document(call, "status")["totals"]["waived"] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.txt", b"a-3\n\na-5\r\n"),
        ("failed.csv", "\ufeffTitel;id\nx;a-3\ny;a-5\n".encode()),
        ("results.tsv", "externalId\tx\na-3\t\na-5\t\n".encode("utf-16")),
        ("lines.jsonl", b'{"externalId":"a-3"}\n{"id":"a-5"}\n'),
        ("m.json", b'[{"id":"a-3","url":"https://a.b/1"},{"id":"a-5","url":"https://a.b/2"}]'),
    ],
)
def test_a_file_names_the_ids(call: Call, name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    code, _, err = call(f"waive --file {name} --reason x")
    assert code == 0, err
    assert ids(call, "results --waived") == ["a-3", "a-5"]


def test_what_results_write_can_be_waived(call: Call) -> None:
    call("results --failed -o failed.csv")
    call("results --failed --as-manifest -o rows.csv")
    assert call("waive --file failed.csv --reason one")[0] == 0
    assert call("waive --file rows.csv --reason two --json")[0] == 0
    rows = document(call, "results --waived")["results"]
    assert {row["waivedBecause"] for row in rows} == {"two"} and len(rows) == 3


def test_many_ids_are_waived_at_once_or_not_at_all(call: Call) -> None:
    Path("ids.txt").write_text("a-3\n" * 20_000 + "a-4\nnobody\n")
    assert call("waive --file ids.txt --reason x")[0] == 2
    assert document(call, "status")["totals"]["waived"] == 0
    Path("ids.txt").write_text("a-3\n" * 20_000 + "a-4\n")
    assert call("waive --file ids.txt --reason x")[0] == 0
    sums = document(call, "status")["totals"]
    assert (sums["failed"], sums["waived"]) == (1, 2)


def test_another_run_is_not_disturbed(call: Call, tmp_path: Path) -> None:
    with StateStore.open(tmp_path / "place" / "state.sqlite", write=True, command="submit"):
        code, _, err = call("waive a-3 --reason x")
    assert code == ExitCode.LOCKED and "running “submit”" in err


# -- tries, limits, canary, several archives -----------------------------------------------


def test_the_number_of_tries_is_an_option_and_a_setting(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a-4 failed for a passing cause, once, and long ago."""
    assert document(call, "plan m.csv")["retried"] == 1
    assert document(call, "plan m.csv --tries 1")["retried"] == 0
    Path("mine.yaml").write_text("tries: 1\n")
    assert document(call, "plan m.csv --config mine.yaml")["retried"] == 0
    assert "gave up" not in call("results --failed --format table")[1]
    monkeypatch.setenv("LDIMPORT_TRIES", "1")
    assert document(call, "plan m.csv")["retried"] == 0
    assert (
        "could not connect to 127.0.0.1:1; gave up after 1 try"
        in (call("results --failed --format table")[1])
    )
    gave_up = {row["externalId"]: row["gaveUp"] for row in document(call, "results")["results"]}
    assert [id_ for id_, each in gave_up.items() if each] == ["a-4"]
    for wrong in ("0", "-1", "many", "1001"):
        code, _, err = call(f"plan m.csv --tries {wrong}")
        assert code == 2 and "--tries must be a number from 1 to 1,000" in err


def test_a_plain_submit_tries_again_by_itself(call: Call) -> None:
    plan = document(call, "plan m.csv")
    words = ("new", "changed", "unchanged", "failed", "retried", "waived", "inProgress", "invalid")
    assert sum(plan[word] for word in words) == plan["entries"] == 5
    assert "↻ tried again  1" in call("plan m.csv")[1]
    told = events(call, "submit m.csv")
    assert "a-4" in [each.get("externalId") for each in told]
    after = document(call, "plan m.csv")
    assert (after["retried"], after["failed"]) == (0, 3), "an hour later at the earliest"


@pytest.mark.parametrize("option", ["--max-failures 1", "--fail-on any", "--config limit.yaml"])
def test_a_limit_has_two_names_and_a_setting(call: Call, option: str) -> None:
    Path("limit.yaml").write_text("maxFailures: 1\n")
    end = document(call, f"submit m.csv --batch-size 1 {option}")
    assert end["exitCode"] == 11 and end["stopped"]["code"] == "failure-limit"
    assert end["causes"] and sum(end["totals"].values()) == 5
    code, out, _ = call(f"retry --all {option}")
    assert code == 11 and "  causes " in out and "  limit " in out


def test_the_older_variable_of_the_limit_still_counts(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDIMPORT_FAIL_ON", "1")
    assert call("retry --all")[0] == 11
    monkeypatch.setenv("LDIMPORT_MAX_FAILURES", "many")
    assert call("retry --all")[0] == 4


def test_a_canary_shows_what_became_of_it(call: Call) -> None:
    rows = "".join(f"c-{n},{'abcd'[n % 4]}.png,C {n}\n" for n in range(40))
    Path("c.csv").write_text(f"id,url,fileName\n{rows}")
    Path("d.png").write_text("no image")
    told = events(call, "submit c.csv --canary 8")
    (canary,) = [each for each in told if each["type"] == "canary"]
    assert (canary["images"], canary["passed"], canary["maxFailures"]) == (8, False, "10%")
    assert canary["causes"][0]["cause"] == "not-an-image" and told[-1]["exitCode"] == 11
    assert told[-1]["totals"]["unsubmitted"] == 32
    code, _, err = call("submit c.csv --canary 4 --max-failures 90%")
    assert code == 1 and "canary    canary:" in err and "going on" in err
    assert document(call, "status")["totals"]["unsubmitted"] == 0
    assert call("submit c.csv --canary 0")[0] == 2


def test_rows_of_several_archives_say_of_which(call: Call) -> None:
    Path("other.csv").write_text("id,url,fileName\no-1,x.png,O\n")
    call("submit other.csv --system-name other --yes")
    code, out, _ = call("results --all --as-manifest")
    Path("all.csv").write_text(out)
    assert call("submit all.csv --system-name other")[0] == 3
    plan = document(call, "plan all.csv --system-name other")
    assert (plan["entries"], plan["invalid"], plan["failed"]) == (4, 3, 1)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and {row["_systemName"] for row in rows} == {"archive", "other"}
    _, out, _ = call("results --as-manifest")
    assert "_systemName" not in out and "o-1" not in out
