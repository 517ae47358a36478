"""The files of ``validate`` and ``submit``, through the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

from command_line import Ldimport


def problems(document: dict) -> list[tuple[object, ...]]:  # type: ignore[type-arg]
    """What identifies each problem of a document."""
    keys = ("severity", "code", "row", "line", "column", "field", "message")
    return [tuple(each[key] for key in keys) for each in document["problems"]]


def cases(path: Path) -> dict[str, bool]:
    """The cases of a JUnit report, and whether each passes."""
    (suite,) = ElementTree.parse(path).getroot()
    return {case.attrib["name"]: case.find("failure") is None for case in suite}


def test_every_file_says_what_the_screen_says(run: Ldimport, samples: Path) -> None:
    files = {
        "--problems": "p.json",
        "--write-valid": "good.csv",
        "--write-invalid": "bad.csv",
        "--junitxml": "j.xml",
    }
    given = [word for pair in files.items() for word in pair]
    shown = run.json("validate", samples / "broken.csv", *given, code=3)
    assert shown["invalid"] > 20
    assert problems(json.loads((run.folder / "p.json").read_text())) == problems(shown)
    failing = {
        f"{kind['code']} {kind['field']}".strip()
        for kind in shown["kinds"]
        if kind["severity"] == "error"
    }
    assert {name for name, passes in cases(run.folder / "j.xml").items() if not passes} == failing
    with (run.folder / "bad.csv").open(encoding="utf-8-sig", newline="") as file:
        bad = list(csv.DictReader(file))
    with (run.folder / "good.csv").open(encoding="utf-8-sig", newline="") as file:
        good = list(csv.DictReader(file))
    assert (len(bad), len(good)) == (shown["invalid"], shown["valid"])
    assert all(row["_problem"] for row in bad)
    assert "_problem" not in good[0]


def test_the_lists_of_problems_agree(run: Ldimport, samples: Path) -> None:
    for name in ("p.csv", "p.jsonl", "p.sarif"):
        run("validate", samples / "broken.csv", "--problems", name, code=3)
    with (run.folder / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        table = [(row["code"], row["line"]) for row in csv.DictReader(file)]
    lines = [json.loads(line) for line in (run.folder / "p.jsonl").read_text().splitlines()]
    assert table == [(each["code"], str(each["line"])) for each in lines]
    (sarif,) = json.loads((run.folder / "p.sarif").read_text())["runs"]
    places = [
        each["locations"][0]["physicalLocation"]["region"]["startLine"] for each in sarif["results"]
    ]
    assert sorted(places) == sorted(each["line"] for each in lines)
    first = sarif["results"][0]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"]["uri"] == "samples/broken.csv"
    assert all(rule["help"]["text"] for rule in sarif["tool"]["driver"]["rules"])


def test_the_good_rows_are_valid_and_the_bad_ones_are_not(run: Ldimport, samples: Path) -> None:
    good, bad = samples / "good.csv", samples / "bad.csv"
    run("validate", samples / "broken.csv", "--write-valid", good, "--write-invalid", bad, code=3)
    assert run.json("validate", good)["invalid"] == 0
    again = run.json("validate", bad, code=3)
    assert again["valid"] <= 2  # the second of two equal ids is alone now


def test_a_run_leaves_its_report(run: Ldimport, samples: Path) -> None:
    run("submit", samples / "broken.csv", "--junitxml", "refused.xml", code=3)
    refused = cases(run.folder / "refused.xml")
    assert refused["not-a-url url"] is False
    assert refused["unlikely-type url"] is True
    run("submit", samples / "manifest.csv", "--junitxml", "run.xml")
    assert cases(run.folder / "run.xml") == {"no image failed": True}


def test_what_cannot_be_written_ends_before_anything_begins(run: Ldimport, samples: Path) -> None:
    manifest = samples / "manifest.csv"
    for wrong in (("--problems", "p.xls"), ("--junitxml", "no/j.xml"), ("--write-valid", manifest)):
        done = run("validate", manifest, *wrong, code=2)
        assert str(wrong[1]) in done.stderr or "no such folder" in done.stderr
    run("submit", manifest, "--junitxml", "no/j.xml", code=2)
    assert run.json("status")["totals"]["success"] == 0
