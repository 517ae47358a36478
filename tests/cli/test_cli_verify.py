"""``verify`` and ``explain`` as people and scripts read them, on the local engine."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from ldimport.cli import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    """Runs a command line: exit code, output, errors; four images have arrived."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LDIMPORT_ENGINE", str(tmp_path / "engine"))
    monkeypatch.setenv("LDIMPORT_STATE", str(tmp_path / "state.sqlite"))
    monkeypatch.chdir(tmp_path)
    for n in range(1, 5):
        Image.new("RGB", (8, n)).save(tmp_path / f"{n}.png")
    rows = [f"id{n},{n}.png,Image {n}" for n in range(1, 5)]
    (tmp_path / "archive.csv").write_text("\n".join(["id,url,fileName", *rows]) + "\n")

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        return code, *capfd.readouterr()

    assert run("submit", "archive.csv", "--system-name", "archiv")[0] == 0
    yield run


def behind_its_back(statement: str) -> None:
    """Something happens to the library."""
    with closing(sqlite3.connect(Path("engine") / "catalogue.sqlite")) as found:
        assert found.execute(statement).rowcount
        found.commit()


def blobs() -> list[Path]:
    return [path for path in Path("engine", "blobs").rglob("*") if path.is_file()]


def test_all_that_is_there_as_sent_is_0(call: Call) -> None:
    code, out, _ = call("verify")
    assert code == 0 and "all 4 images are at the target as sent" in out
    code, out, _ = call("verify", "--bytes")
    assert code == 0 and "4 by their digest" in out
    code, out, _ = call("verify", "--sample", "2", "--seed", "7")
    assert code == 0 and "2 of 4, chosen at random (seed 7)" in out
    assert "at most 100.0 % missing, with 95 % confidence" in out


def test_a_file_that_is_lost_or_damaged_is_found_by_its_bytes_alone(call: Call) -> None:
    first, second, *_ = sorted(blobs())
    first.unlink()
    second.chmod(0o600)
    second.write_bytes(b"damaged")
    assert call("verify")[0] == 0
    code, out, _ = call("verify", "--bytes", "--json")
    told = json.loads(out)
    assert code == told["exitCode"] == 1 and told["fields"] == {"picture": 2}
    reasons = {each["differences"][0]["found"] for each in told["findings"]}
    assert reasons == {
        "the stored file is lost", "the stored file is damaged: it has another digest"
    }  # fmt: skip


def test_a_source_that_changed_since_is_found_by_its_bytes(call: Call) -> None:
    Image.new("RGB", (8, 3), "red").save("3.png")
    code, out, _ = call("verify", "--bytes")
    assert code == 1 and "id3" in out and "sha256" in out


def test_differences_are_files_too(call: Call) -> None:
    behind_its_back("DELETE FROM media WHERE external_id = 'id1'")
    behind_its_back("UPDATE asset SET width = 9 WHERE height = 2")
    code, out, _ = call("verify", "-o", "-")
    assert code == 1
    assert out.splitlines()[:3] == [
        "externalId,systemName,outcome,field,expected,found,mediaId,sourceUrl,row,manifest",
        "id1,archiv,missing,,,,,1.png,1,archive.csv",
        out.splitlines()[2],
    ]
    assert ",width,8,9," in out.splitlines()[2]
    assert call("verify", "-o", "d.jsonl")[0] == 1
    lines = [json.loads(line) for line in Path("d.jsonl").read_text().splitlines()]
    assert [each["outcome"] for each in lines] == ["missing", "differs"]
    code, _, err = call("verify", "-o", "d.xls")
    assert code == 2 and "use .csv or .jsonl" in err
    story = json.loads(call("explain", "id1", "--json")[1])["images"][0]
    assert story["verified"]["outcome"] == "missing"
    assert "not in the media library" in call("explain", "id1")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seed", "3"), "--sample"),
        (("--mark-missing", "--sample", "3"), "--sample"),
        (("--mark-missing", "--bytes"), "--bytes"),
        (("--sample", "0"), "--sample"),
        (("--system-name", "archif"), "did you mean archiv?"),
    ],
)
def test_what_makes_no_sense_is_2(call: Call, words: tuple[str, ...], said: str) -> None:
    code, _, err = call("verify", *words)
    assert code == 2 and said in err


def test_nothing_to_verify_is_0(call: Call) -> None:
    code, out, err = call("verify", "--state", str(Path("none.sqlite").absolute()))
    assert code == 2 and "no such state file" in err
    Path("state.sqlite").unlink()
    code, out, _ = call("verify")
    assert code == 0 and "Nothing to verify" in out
    told = json.loads(call("verify", "--json")[1])
    assert (told["images"], told["checked"], told["confidence"]) == (0, 0, None)


def test_a_log_has_the_verification(call: Call) -> None:
    assert call("verify", "--log-file", "log.jsonl", "-qq")[0] == 0
    (line,) = Path("log.jsonl").read_text().splitlines()
    assert json.loads(line)["type"] == "verification"


def test_explain_tells_every_step(call: Call) -> None:
    assert call("verify")[0] == 0
    out = call("explain", "id2")[1]
    said = ["written down", "accepted as job", "\u2713 imported", "\u2713 at the target as sent"]
    places = [out.index(each, out.index("now at")) for each in said]
    assert places == sorted(places)
