"""Every command on real files: documents that scripts rely on, exit codes, what is written."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from ldimport.causes import Cause, KnownCause
from ldimport.cli import main
from ldimport.errors import ExitCode
from ldimport.system import ProcessLock

ROWS = 6
"""Row 4 is no image at all, row 5 is a file that is not there."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a small archive of local files, submitted once; the tests only read it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.chdir(home)
        write_archive(home)
        assert main(["submit", "archive.csv", "--log-file", "run.log", "-q"]) == 1
        yield home


def write_archive(home: Path, name: str = "archive.csv") -> Path:
    lines = ["id,url,fileName,metadata.caption,Fotograf"]
    for n in range(ROWS):
        data = io.BytesIO()
        Image.new("RGB", (10 + n, 20), (n, 2 * n, 3 * n)).save(data, "PNG")
        body = b"<html>no image</html>" if n == 4 else data.getvalue()
        if n != 5:
            (home / f"{n}.png").write_bytes(body)
        lines.append(f'"=id-{n}",{n}.png,Photo {n},"a, b",Muster')
    path = home / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def call(archive: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        assert "\x1b" not in err + out and "\r" not in (err + out).replace("\r\n", "")
        return code, out, err

    return run


Call = Callable[..., tuple[int, str, str]]


def document(call: Call, *words: str, code: int = 0) -> dict:  # type: ignore[type-arg]
    """The one JSON document of a command, parsed to its last byte."""
    found, out, _ = call(*words, "--json", "-q")
    assert found == code, out
    body = json.loads(out)
    assert body["format"] == 1
    return body  # type: ignore[no-any-return]


# -- documents -----------------------------------------------------------------------------


def test_status_counts_every_image_once(call: Call) -> None:
    body = document(call, "status")
    (job,) = body["jobs"]
    assert set(job) >= {"id", "state", "finished", "submittedAt", "finishedAt", "images"}
    assert job["images"] == {"total": 6, "success": 4, "skipped": 0, "failed": 2, "pending": 0}
    totals = body["totals"]
    words = ("success", "skipped", "failed", "pending", "unsubmitted")
    assert [totals[word] for word in words] == [4, 0, 2, 0, 0] and "invalid" not in totals


def test_the_local_engine_is_a_target_to_filter_by(call: Call) -> None:
    assert document(call, "status", "--target", "embedded") == document(call, "status")
    assert document(call, "results", "--target", "embedded") == document(call, "results")


def test_status_of_one_job_is_the_seeds_object(call: Call) -> None:
    (job,) = document(call, "status")["jobs"]
    body = document(call, "status", job["id"])
    assert (body["id"], body["state"], body["finished"]) == (job["id"], "success", True)
    assert [image["externalId"] for image in body["images"]] == [f"=id-{n}" for n in range(6)]
    assert {image["status"] for image in body["images"]} == {"success", "failed"}


def test_exit_status_of_a_job_with_failures(call: Call) -> None:
    (job,) = document(call, "status")["jobs"]
    assert call("status", job["id"])[0] == 0
    assert call("status", job["id"], "--exit-status")[0] == 1


def test_a_job_that_is_nearly_known_is_proposed(call: Call) -> None:
    (job,) = document(call, "status")["jobs"]
    code, _, err = call("status", job["id"][:-1])
    assert code == 2 and f"did you mean {job['id']}?" in err


def test_results_have_every_promised_key(call: Call) -> None:
    rows = document(call, "results")["results"]
    assert len(rows) == ROWS
    promised = "externalId systemName status reason mediaId url originalUrl width height"
    promised += " mimeType title fileName sourceUrl jobId"
    for row in rows:
        assert list(row)[:14] == promised.split()
    assert (rows[0]["width"], rows[0]["height"], rows[0]["mimeType"]) == (10, 20, "image/png")
    assert rows[4]["status"] == "failed" and rows[4]["mediaId"] is None and rows[4]["reason"]


@pytest.mark.parametrize(
    ("option", "count"), [("--failed", 2), ("--success", 4), ("--skipped", 0), ("-n3", 3)]
)
def test_results_are_filtered(call: Call, option: str, count: int) -> None:
    assert len(document(call, "results", option)["results"]) == count


@pytest.mark.parametrize("options", [(), ("--as-manifest",), ("--failed", "--redact")])
def test_a_csv_for_excel_has_semicolons_and_the_mark(
    call: Call, tmp_path: Path, options: tuple[str, ...]
) -> None:
    for excel, sign, mark in (((), ",", False), (("--excel",), ";", True)):
        path = tmp_path / "r.csv"
        assert call("results", *options, *excel, "-o", str(path))[0] == 0
        assert call("results", *options, *excel)[1].encode() == path.read_bytes()
        assert path.read_bytes().startswith(b"\xef\xbb\xbf") is mark
        head, *rows = csv.reader(io.StringIO(path.read_text("utf-8-sig")), delimiter=sign)
        assert rows and {len(row) for row in rows} == {len(head)} and len(head) > 5
    assert call("results", "--excel", "--json")[1] == call("results", "--json")[1]


def test_results_in_a_pipe_are_csv_that_no_spreadsheet_runs(call: Call) -> None:
    code, out, _ = call("results")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and len(rows) == ROWS
    assert [row["externalId"] for row in rows] == [f"'=id-{n}" for n in range(ROWS)]
    assert rows[0]["width"] == "10" and rows[0]["mediaId"]


@pytest.mark.parametrize("options", [(), ("--as-manifest",), ("--json",)])
def test_a_dash_is_standard_output(call: Call, options: tuple[str, ...]) -> None:
    plain, dash = call("results", *options), call("results", *options, "-o", "-")
    assert plain == dash and plain[0] == 0 and plain[1]
    assert not Path("-").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("options", [("--format", "csv"), ("--as-manifest", "--format", "csv")])
def test_results_go_through_a_pipe_that_stays_one(
    call: Call, tmp_path: Path, options: tuple[str, ...]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes().decode()))
    reader.start()
    assert call("results", *options, "-q", "-o", str(pipe)) == (0, "", "")
    reader.join()
    assert read == [call("results", *options, "-q")[1]] and pipe.is_fifo()


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
@pytest.mark.parametrize(
    "words",
    [("results", "--format", "csv", "-o"), ("validate", "archive.csv", "--junitxml"),
     ("watch", "--junitxml"), ("watch", "--log-file")],
    ids=" ".join,
)  # fmt: skip
def test_a_device_is_written_to_and_never_replaced(
    call: Call, words: tuple[str, ...], device: str
) -> None:
    if not Path(device).is_char_device():
        pytest.skip(f"no {device} here")
    before = Path(device).stat()
    code, _, err = call(*words, device)
    after = Path(device).stat()
    assert (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)
    assert Path(device).is_char_device()
    if device == "/dev/null":
        assert code == 0
    else:
        assert code == ExitCode.TEMPORARY and "No space left" in err


def test_a_result_file_is_replaced_whole_behind_its_link(call: Call, tmp_path: Path) -> None:
    target, link = tmp_path / "kept.csv", tmp_path / "map.csv"
    target.write_text("old")
    link.symlink_to(target)
    assert call("results", "-o", str(link))[0] == 0
    assert link.is_symlink() and target.read_text().startswith("externalId,")
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_results_as_a_file_by_its_ending(call: Call, archive: Path, ending: str) -> None:
    path = archive / f"out.{ending}"
    code, out, _ = call("results", "-o", str(path))
    text = path.read_text()
    assert (code, out) == (0, "")
    rows = {
        "csv": lambda: list(csv.DictReader(io.StringIO(text))),
        "jsonl": lambda: [json.loads(line) for line in text.splitlines()],
        "json": lambda: json.loads(text)["results"],
    }[ending]()
    assert len(rows) == ROWS
    assert not list(archive.glob(".out*")), "no temporary file is left"


def test_no_results_is_a_header_and_a_word(call: Call) -> None:
    code, out, err = call("results", "--skipped")
    assert code == 0 and len(out.splitlines()) == 1 and "No skipped images." in err


def test_failed_images_come_back_as_the_manifest_they_were(call: Call, archive: Path) -> None:
    path = archive / "failed.csv"
    assert call("results", "--as-manifest", "-o", str(path))[0] == 0
    text = path.read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == ["'=id-4", "'=id-5"]
    assert rows[0]["Fotograf"] == "Muster" and rows[0]["metadata.caption"] == "a, b"
    assert rows[0]["_reason"] and rows[0]["_jobId"] and rows[0]["_attempts"] == "1"
    plan = document(call, "plan", str(path))
    assert (plan["entries"], plan["failed"], plan["invalid"]) == (2, 2, 0)
    code, out, _ = call("results", "--as-manifest", "-q")
    assert code == 0 and out == text


@pytest.mark.parametrize(
    "options", [("--json",), ("--format", "json"), ("--format", "jsonl"), ("-o", "failed.jsonl")]
)
def test_failed_images_come_back_in_the_format_asked_for(
    call: Call, archive: Path, options: tuple[str, ...]
) -> None:
    code, out, _ = call("results", "--as-manifest", "-q", *options)
    path = archive / "failed.jsonl"
    text = out or path.read_text()
    path.unlink(missing_ok=True)
    found = lines(text) if "jsonl" in options[-1] else json.loads(text)
    assert code == 0 and [row["id"] for row in found] == ["=id-4", "=id-5"]
    assert all(row["_reason"] and row["metadata.caption"] == "a, b" for row in found)


def test_plan_adds_up(call: Call) -> None:
    plan = document(call, "plan", "archive.csv")
    words = ("new", "changed", "unchanged", "failed", "inProgress", "invalid")
    assert sum(plan[word] for word in words) == plan["entries"] == ROWS
    assert {"target", "systemName", "batches", "bytes", "days"} <= set(plan)
    assert call("plan", "archive.csv", "--exit-code")[0] == 0


def test_plan_says_with_exit_code_that_there_is_something_to_send(
    call: Call, archive: Path
) -> None:
    assert call("plan", "archive.csv", "--resend", "--exit-code")[0] == 1


def test_validate_tells_what_it_read_and_found(call: Call) -> None:
    body = document(call, "validate", "archive.csv")
    assert (body["entries"], body["valid"], body["invalid"]) == (ROWS, ROWS, 0)
    assert body["detected"] == {
        "format": "csv", "encoding": "utf-8", "delimiter": ",", "columns": 5,
    }  # fmt: skip
    assert body["problemsShown"] == len(body["problems"])


@pytest.fixture
def broken(archive: Path) -> Path:
    path = archive / "broken.csv"
    rows = [f"b-{n},{n}.png,Photo,imgae" for n in range(3)] + ["b-0,0.png,Again,image"]
    path.write_text("id,url,fileName,mediaType\n" + "\n".join(rows) + "\n")
    return path


def test_problems_have_their_place_and_kinds_their_numbers(call: Call, broken: Path) -> None:
    body = document(call, "validate", str(broken), code=3)
    assert body["invalid"] == 4 and len(body["problems"]) == 4
    first = body["problems"][0]
    assert set(first) >= {
        "severity", "code", "row", "line", "column", "id", "field", "message", "hint",
    }  # fmt: skip
    assert (first["code"], first["row"], first["line"]) == ("unknown-media-type", 1, 2)
    kinds = {kind["code"]: kind["rows"] for kind in body["kinds"]}
    assert kinds == {"unknown-media-type": 3, "duplicate-id": 1}
    assert (
        len(document(call, "validate", str(broken), "--max-problems", "1", code=3)["problems"]) == 1
    )


def test_problems_in_a_pipe_are_lines_that_editors_understand(call: Call, broken: Path) -> None:
    code, out, _ = call("validate", str(broken))
    assert code == 3
    lines = [line for line in out.splitlines() if ": error[" in line]
    assert len(lines) == 4
    assert all(re.match(rf"{re.escape(str(broken))}:\d+:\d+: error\[[a-z-]+\] \S", line)
               for line in lines)  # fmt: skip
    assert "✗ 4 errors in 4 of 4 rows" in out and "→ ldimport explain unknown-media-type" in out


def test_github_gets_annotations_and_a_summary(
    call: Call, broken: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    _, out, _ = call("validate", str(broken))
    assert out.count("::error file=") == 2
    assert "| 3 | unknown-media-type |" in (tmp_path / "summary.md").read_text()
    _, out, _ = call("validate", str(broken), "--no-annotations")
    assert "::error" not in out


def test_nothing_is_sent_while_there_are_errors(call: Call, broken: Path) -> None:
    code, out, err = call("submit", str(broken))
    assert code == 3 and "nothing was sent" in err
    assert "--valid-only" not in err, "there is no good row to send"
    code, out, _ = call("submit", str(broken), "--json", "-q")
    last = json.loads(out.splitlines()[-1])
    assert (code, last["type"], last["exitCode"]) == (3, "error", 3)
    assert len(last["validation"]["problems"]) == 4
    assert len(document(call, "status")["jobs"]) == 1


# -- hints lead somewhere ------------------------------------------------------------------


def test_no_good_rows_are_proposed_where_there_are_none(call: Call, broken: Path) -> None:
    _, out, err = call("validate", str(broken))
    assert "→ ldimport explain" in out and "--valid-only" not in out + err


def test_one_good_row_is_one(call: Call, archive: Path) -> None:
    path = archive / "one.csv"
    path.write_text("id,url,fileName\n1,0.png,A\n2,,B\n")
    assert "send the 1 good row\n" in call("validate", str(path))[1]
    assert "send the 1 good row\n" in call("submit", str(path))[2]


def test_no_retry_is_proposed_where_nothing_may_work(call: Call, archive: Path) -> None:
    (job,) = document(call, "status")["jobs"]
    assert "→ ldimport results --job" in (out := call("status", job["id"])[1])
    assert "ldimport retry" not in out
    out = call("plan", "archive.csv")[1]
    assert "→ ldimport results --failed   why they failed before" in out
    assert "→ ldimport retry" not in out


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        *((command, "1,0.png,A\n") for command in ("validate", "plan")),
        *((command, "1,0.png,A\n2,,B\n") for command in ("validate", "plan", "submit")),
    ],
)
def test_what_came_by_standard_input_is_not_proposed_again(
    call: Call, monkeypatch: pytest.MonkeyPatch, command: str, rows: str
) -> None:
    class Piped(io.StringIO):
        buffer = io.BytesIO(f"id,url,fileName\n{rows}".encode())

    monkeypatch.setattr(sys, "stdin", Piped())
    _, out, err = call(command, "-")
    hints = re.findall("→ (ldimport .*)", out + err)
    assert not [hint for hint in hints if " - " in f"{hint} "]


# -- a run ---------------------------------------------------------------------------------


def lines(out: str) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in out.splitlines()]


def test_submitting_again_sends_nothing_and_remembers_the_failures(call: Call) -> None:
    code, out, _ = call("submit", "archive.csv", "--json")
    found = lines(out)
    assert code == 1
    assert found[0]["type"] == "start" and found[-1]["type"] == "summary"
    end = found[-1]
    assert end["plan"]["new"] == 0 and end["jobs"] == [] and end["exitCode"] == 1
    words = ("success", "skipped", "failed", "pending", "unsubmitted", "invalid")
    assert sum(end["totals"][word] for word in words) == ROWS
    assert end["totals"]["failed"] == 2


def test_first_and_last_line_name_the_local_engine_and_its_folder(call: Call) -> None:
    _, out, _ = call("submit", "archive.csv")
    first, *_, last = out.splitlines()
    for line in (first, last):
        assert line.startswith("local engine, nothing ") and "to Livingdocs" in line
        assert "~/" in line or "/" in line


def test_the_log_has_utc_times_and_ends_with_the_exit_code(call: Call) -> None:
    _, _, err = call("submit", "archive.csv")
    found = err.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [a-z]+ ", line) for line in found)
    assert found[0].split()[1] == "start" and found[-1].split()[1:3] == ["exit", "1:"]


def test_quiet_is_the_result_and_twice_quiet_nothing(call: Call) -> None:
    code, out, err = call("submit", "archive.csv", "-q")
    assert code == 1 and err == "" and "✗ nothing new to send, but" in out
    assert call("submit", "archive.csv", "-qq") == (1, "", "")


def test_the_log_file_is_private_and_holds_the_whole_run(archive: Path) -> None:
    path = archive / "run.log"
    assert path.stat().st_mode & 0o777 == 0o600
    found = lines(path.read_text())
    assert found[0]["type"] == "start" and found[-1]["type"] == "summary"
    assert sum(line["type"] == "failure" for line in found) == 2
    assert found[-1]["totals"] == {
        "success": 4, "skipped": 0, "failed": 2, "pending": 0, "unsubmitted": 0, "invalid": 0,
        "notTakenOver": 0, "waived": 0,
    }  # fmt: skip


def test_a_second_writer_is_told_who_is_at_work(call: Call, archive: Path) -> None:
    (state,) = archive.rglob("default.sqlite")
    lock = ProcessLock(state.with_name(f"{state.name}.lock"))
    assert lock.acquire("submit other.csv")
    try:
        code, _, err = call("submit", "archive.csv")
        assert code == ExitCode.LOCKED
        assert f"process {os.getpid()}" in err and "running “submit other.csv”" in err
        code, out, err = call("watch")
        assert code == 0 and "looking on" in err and "No job is running" in out
        assert call("status")[0] == 0
    finally:
        lock.release()


def test_nothing_to_watch_and_nothing_to_retry_are_said(call: Call) -> None:
    assert "✓ No job is running. The last one," in call("watch")[1]
    assert lines(call("watch", "--json")[1])[-1]["type"] == "summary"
    code, out, _ = call("retry", "--cause", "origin-503")
    assert code == 1 and "Nothing to retry here; 2 other images have failed" in out


def test_options_of_the_engine_are_refused_for_a_server(call: Call) -> None:
    for words in (["submit", "archive.csv", "--integrity", "fast"], ["retry", "--allow-host", "x"]):
        code, _, err = call(*words, "--target", "https://edit.example")
        assert code == 2 and "the server decides" in err


# -- explain, init, engine, config -----------------------------------------------------------


def test_explain_tells_what_became_of_an_image(call: Call) -> None:
    code, out, _ = call("explain", "=id-4")
    assert code == 0 and "✗ failed" in out
    assert re.search(r"row +5 of archive\.csv", out)
    body = document(call, "explain", "=id-0")
    (image,) = body["images"]
    assert image["status"] == "success" and len(image["attempts"]) == 1


def test_explain_tells_what_a_code_means(call: Call) -> None:
    code, out, _ = call("explain", "duplicate-id")
    assert code == 0 and out.startswith("duplicate-id")
    code, _, err = call("explain", "duplicate-ids")
    assert code == 2 and "did you mean duplicate-id?" in err


PARAMETERS = {"status": "503", "format": "tiff"}
CAUSES = [
    each.with_(**{name: value for name, value in PARAMETERS.items() if name in each.code})
    for each in Cause
]


@pytest.mark.parametrize("cause", CAUSES, ids=[each.code for each in CAUSES])
def test_explain_tells_what_the_cause_of_a_failure_means(call: Call, cause: KnownCause) -> None:
    body = document(call, "explain", cause.code)
    assert body["cause"] == {
        "code": cause.code,
        "meaning": cause.meaning,
        "hint": cause.hint,
        "retryable": cause.retryable,
        "parameters": dict(cause.parameters),
    }
    code, out, _ = call("explain", cause.code)
    assert code == 0 and f"{cause.code}  {cause.meaning}" in out and cause.hint in out
    failed = cause.code in ("not-an-image", "no-such-file")
    assert (f"--cause {cause.code}" in out) is failed, "a hint only where it leads to images"


def test_the_codes_that_filters_take_are_shown(call: Call) -> None:
    out = call("explain", "=id-4")[1]
    assert re.search(r"cause +not-an-image: the file is no image\n", out)
    (job,) = document(call, "status")["jobs"]
    assert re.search(r"FAILED +REASON +CAUSE +TRY AGAIN", out := call("status", job["id"])[1])
    assert re.search(r"the file is no image +not-an-image +no", out)


@pytest.mark.parametrize("command", ["results", "retry"])
@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("not-an-imge", "did you mean not-an-image?"),
        ("no-image", "did you mean not-an-image?"),
        ("503", "did you mean origin-503?"),
        ("origin-50", "did you mean origin-50"),
        ("over-pixels", "did you mean too-many-pixels?"),
        ("xyzzy", "images failed for: no-such-file, not-an-image"),
    ],
)
def test_a_cause_that_nobody_knows_is_refused(
    call: Call, command: str, written: str, hint: str
) -> None:
    code, out, err = call(command, "--cause", written)
    assert (code, out) == (2, "")
    assert f"✗ there is no cause “{written}”" in err and f"→ {hint}" in err


def test_a_known_cause_that_no_image_has_is_no_mistake(call: Call) -> None:
    assert document(call, "results", "--cause", "origin-418")["results"] == []


@pytest.mark.parametrize(
    "code",
    ["port-taken", "untrusted-file", "trimmed", "webhook-undelivered", "usage", "interrupted",
     "too-large", "3", "130", "origin-418", "jpeg-xl-not-accepted", "duplicate-id",
     "new-system-name"],
)  # fmt: skip
def test_any_code_that_is_printed_is_explained(call: Call, code: str) -> None:
    body = document(call, "explain", code)
    assert body.get("code") or body.get("cause")
    assert f"{code}  " in call("explain", code)[1]


def test_a_code_that_is_both_a_problem_and_a_cause_is_explained_as_both(call: Call) -> None:
    body = document(call, "explain", "outside-folder")
    assert body["code"]["title"] and body["cause"]["meaning"]
    out = call("explain", "outside-folder")[1]
    assert body["code"]["title"] in out and body["cause"]["meaning"] in out


def test_failures_of_one_cause_are_told_by_what_the_cause_means(call: Call) -> None:
    (job,) = document(call, "status")["jobs"]
    _, out, _ = call("status", job["id"])
    assert Cause.NO_SUCH_FILE.with_().meaning in out and Cause.NOT_AN_IMAGE.with_().meaning in out
    assert "no such file: 5.png" in out, "a single image keeps its own reason"


def test_init_writes_settings_and_a_manifest_that_validates(call: Call, archive: Path) -> None:
    folder = archive / "fresh"
    folder.mkdir()
    body = document(call, "init", str(folder), "--system-name", "fresh")
    assert body["required"] == ["id", "url", "fileName"]
    template = folder / "manifest-template.csv"
    header = template.read_text().splitlines()[0].split(",")
    assert header[:4] == ["id", "url", "fileName", "mediaType"] and "metadata.title" in header
    assert document(call, "validate", str(template))["entries"] == 1
    assert (
        document(call, "config", "show", "--config", str(folder / "ldimport.yaml"))["settings"][
            "systemName"
        ]["value"]
        == "fresh"
    )
    code, _, err = call("init", str(folder))
    assert code == 2 and "is there already" in err


def test_engine_check_finds_what_is_missing_and_damaged(call: Call, archive: Path) -> None:
    health = document(call, "engine", "check")
    assert (health["entries"], health["originals"]) == (4, 4)
    folder = Path(health["engine"])
    one, two, *_ = sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())
    kept = one.read_bytes(), two.read_bytes()
    one.chmod(0o600)
    two.chmod(0o600)
    one.unlink()
    two.write_bytes(b"x" + kept[1][1:])
    try:
        body = document(call, "engine", "check", code=4)
        assert (body["missing"], body["damaged"]) == ([one.name], [two.name])
        code, out, _ = call("engine", "check")
        assert code == 4 and "1 original missing" in out and "1 original damaged" in out
    finally:
        one.write_bytes(kept[0])
        two.write_bytes(kept[1])
    assert document(call, "engine", "check")["missing"] == []


def test_engine_reset_removes_an_engine_and_nothing_else(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    assert call("submit", "archive.csv", "--engine", str(folder), "--state",
                str(tmp_path / "s.sqlite"), "-q")[0] == 1  # fmt: skip
    (folder / "mine.txt").write_text("keep")
    code, _, err = call("engine", "reset", "--engine", str(folder))
    assert code == 2 and "--yes" in err
    assert document(call, "engine", "reset", "--engine", str(folder), "--yes")["removed"]
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    code, _, err = call("engine", "reset", "--engine", str(archive_of(tmp_path)), "--yes")
    assert code == 4 and "no engine" in err


def archive_of(folder: Path) -> Path:
    other = folder / "other"
    other.mkdir()
    return other


def test_config_check_needs_no_token_for_the_local_engine(call: Call) -> None:
    body = document(call, "config", "check")
    assert body["exitCode"] == 0 and body["findings"][0]["severity"] == "ok"


def test_config_schema_is_a_json_schema(call: Call) -> None:
    code, out, _ = call("config", "schema")
    body = json.loads(out)
    assert code == 0 and body["type"] == "object" and "caption" in body["properties"]
    code, _, err = call("config", "schema", "imgae")
    assert code == 2 and "it has: image" in err


def test_the_server_parts_are_named_when_they_are_missing(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ldimport.server.run", None)
    code, _, err = call("serve")
    assert code == ExitCode.CONFIG and "→ pip install '.[server]'   in the clone" in err


def test_an_address_for_answers_has_to_be_one(call: Call) -> None:
    code, _, err = call("serve", "--public-url", "photos")
    assert code == 2 and "--public-url must be an http or https URL" in err


def test_tokens_need_no_server_parts(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("starlette", "uvicorn", "ldimport.server.run"):
        monkeypatch.setitem(sys.modules, part, None)
    code, out, _ = call("token", "create", "ci")
    assert code == 0 and out.startswith("ldi_")


def test_the_next_command_keeps_the_options_of_the_manifest(call: Call) -> None:
    code, out, _ = call("validate", "archive.csv", "--set", "caption=A B", "--system-name", "neu")
    assert code == 0
    assert "→ ldimport plan archive.csv --set 'caption=A B' --system-name neu" in out
    assert "→ ldimport plan archive.csv   " in call("validate", "archive.csv", "--warnings")[1]


def test_the_same_command_goes_on_with_all_that_decides_what_is_sent(
    call: Call, archive: Path, tmp_path: Path
) -> None:
    own = ("--engine", str(tmp_path / "engine"), "--state", str(tmp_path / "state.sqlite"))
    run = ("--valid-only", "--batch-size", "7", "--context", '{"a": 1}', "--integrity", "fast")
    code, out, _ = call("submit", "archive.csv", "--limit", "1", *run, *own)
    assert code == 0 and "the rest was not sent (--limit)" in out
    (again,) = re.findall(r"^→ (ldimport submit .*?)(?:   |$)", out, re.MULTILINE)
    words = shlex.split(again)
    assert words[:3] == ["ldimport", "submit", "archive.csv"] and "--limit" not in words
    for option, value in zip(run[1::2], run[2::2], strict=True):
        assert words[words.index(option) + 1] == value
    assert "--valid-only" in words and str(tmp_path / "engine") in words


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status", "-n", "0"), 0, "✗ done, 2 failed"),
        (("config", "show"), 0, "systemName"),
        (("engine", "check"), 0, "sound"),
        (("results", "--cause", "no-such-file"), 0, "'=id-5"),
        (("results", "--host", "nowhere.example"), 2, "no image came from the host"),
        (("results", "--cause", "no-such-fil"), 2, "did you mean no-such-file?"),
        (("retry", "--cause", "no-such-cause"), 2, "there is no cause “no-such-cause”"),
        (("results", "--format", "table", "-n", "2"), 0, "the first 2 are shown"),
        (("results", "--failed", "--format", "table"), 0, "no such file: 5.png"),
        (("retry", "--job", "nosuch"), 2, "no job “nosuch”"),
        (("watch", "nosuch"), 2, "no job “nosuch”"),
        (("results", "--as-manifest", "--format", "table"), 2, "a table is no manifest"),
        (("submit", "archive.csv", "--fail-on", "many"), 2, "must be any, a number of images"),
        (("explain", "nothing-like-it"), 2, "neither an image"),
        (("worker", "--target", "https://edit.example"), 2, "leave --target out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_commands_say(call: Call, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = call(*words)
    assert (found, said in out + err) == (code, True), out + err


def test_validate_writes_the_good_rows_the_others_and_a_report(call: Call, archive: Path) -> None:
    lines = ["id,url,fileName", "a,0.png,A", "b,,B", "c,1.png,C"]
    (archive / "mixed.csv").write_text("\n".join(lines) + "\n")
    files = ("--write-valid", "good.csv", "--write-invalid", "bad.csv", "--problems", "all.jsonl")
    code, _, err = call("validate", "mixed.csv", *files)
    assert code == 3 and all(f"✓ wrote {name}" in err for name in files[1::2])
    good = list(csv.DictReader(io.StringIO((archive / "good.csv").read_text())))
    bad = list(csv.DictReader(io.StringIO((archive / "bad.csv").read_text())))
    assert [row["id"] for row in good] == ["a", "c"] and [row["id"] for row in bad] == ["b"]
    (problem,) = [json.loads(line) for line in (archive / "all.jsonl").read_text().splitlines()]
    assert (problem["code"], problem["row"], problem["field"]) == ("required", 2, "url")
    assert document(call, "validate", "good.csv")["valid"] == 2
