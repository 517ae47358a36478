"""The JUnit report of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from reporting import archive, cases_of, told

from ldimport.errors import DeadlineError, ExitCode, QuotaError, TemporaryError, UsageError
from ldimport.migration.events import Plan, Summary
from ldimport.migration.model import CauseRow, Totals
from ldimport.migration.reports.files import Files
from ldimport.migration.reports.junit import RunReport

PLAN = Plan("archive.csv", "here", "archive", 4, 4, 0, 0, 0, 0, 0, 1, 900)
END = Summary(PLAN, (), Totals(success=4), 1.0, ExitCode.OK)
CAUSE = CauseRow("http-404", "answered 404", 5, True, (("a", 1), ("b\x00", 2)))


def run_of(folder: Path, end: Summary) -> dict[str, ElementTree.Element]:
    """The cases of a run's report."""
    with RunReport(folder / "run.xml", "submit") as report:
        assert not (folder / "run.xml").exists()
        report.ended(end)
    return cases_of(folder / "run.xml")


def test_a_run_has_one_case_for_each_cause(tmp_path: Path) -> None:
    totals = Totals(success=1, failed=5, invalid=2)
    end = replace(END, totals=totals, causes=(CAUSE,), exit_code=ExitCode.FAILURES)
    cases = run_of(tmp_path, end)
    failure = cases["http-404"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "5 images: answered 404"
    assert (failure.text or "").splitlines() == [
        "a (row 1)",
        "b\\x00 (row 2)",
        "and 3 more: ldimport results --failed",
        "may work later: ldimport retry",
    ]
    assert "2 rows with errors" in cases["invalid rows"].find("failure").attrib["message"]


@pytest.mark.parametrize(
    ("stopped", "code", "fails"),
    [
        (None, ExitCode.OK, False),
        (QuotaError("the quota is used up"), ExitCode.QUOTA, False),
        (DeadlineError("time is up"), ExitCode.DEADLINE, False),
        (TemporaryError("unreachable"), ExitCode.TEMPORARY, True),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, True),
        (None, ExitCode.REFUSED, True),
    ],
)
def test_what_stopped_a_run_is_a_failure_unless_the_next_one_goes_on(
    tmp_path: Path, stopped: BaseException | None, code: ExitCode, fails: bool
) -> None:
    (case,) = run_of(tmp_path, replace(END, stopped=stopped, exit_code=code)).values()
    failure = case.find("failure")
    assert (failure is not None) is fails
    if failure is not None:
        assert failure.attrib["message"].endswith(f"(exit {int(code)})")
    elif stopped is not None:
        assert str(stopped) in (case.findtext("system-out") or "")


def test_a_refused_manifest_is_reported_by_its_checks(tmp_path: Path) -> None:
    with archive(tmp_path) as manifest, RunReport(tmp_path / "run.xml", "submit") as report:
        report.refused(manifest.name, told(manifest, Files()))
    assert list(cases_of(tmp_path / "run.xml")) == ["not-a-url url", "unlikely-type url"]


def test_a_run_that_raises_leaves_no_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boom"), RunReport(tmp_path / "run.xml", "watch"):
        raise ValueError("boom")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="no such folder"), RunReport(Path("no/run.xml"), "watch"):
        raise AssertionError("the run began")
