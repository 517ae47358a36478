"""What a file holds counts, not its name; two files joined, and what JSON has not, are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from manifests import opened, read, write

from ldimport.errors import ManifestError
from ldimport.manifest.kinds import ManifestFormat
from ldimport.migration.validate import validate
from ldimport.schema import config
from ldimport.schema.check import Checker


def entry(n: int) -> dict[str, str]:
    return {"id": str(n), "url": f"https://a.example/{n}.jpg", "fileName": "A"}


ENTRIES = [entry(1), entry(2)]
CSV = "id,url,fileName\n" + "".join(f"{','.join(each.values())}\n" for each in ENTRIES)
YAML = "".join(f"- id: {e['id']}\n  url: {e['url']}\n  fileName: A\n" for e in ENTRIES)
LINES = "".join(f"{json.dumps(each)}\n" for each in ENTRIES)
ARRAY = json.dumps(ENTRIES)
CONTENTS = {
    "csv": CSV,
    "semicolons": CSV.replace(",", ";"),
    "yaml": YAML,
    "yaml behind a comment": f"# export\n{YAML}",
    "lines": LINES,
    "array": ARRAY,
    "pretty array": json.dumps(ENTRIES, indent=2),
    "pretty objects": "\n".join(json.dumps(each, indent=2) for each in ENTRIES),
    "body": json.dumps({"systemName": "a", "images": ENTRIES}),
    "pretty body": json.dumps({"images": ENTRIES, "systemName": "a"}, indent="\t"),
}
RIGHT = {
    "csv": {"csv", "semicolons"},
    "tsv": {"csv", "semicolons"},
    "jsonl": {"lines"},
    "json": {"array", "pretty array", "pretty objects", "body", "pretty body"},
    "yaml": {"yaml", "yaml behind a comment"},
}


@pytest.mark.parametrize("ending", [*RIGHT, "txt"])
@pytest.mark.parametrize("content", CONTENTS)
def test_the_content_decides_and_is_told(tmp_path: Path, ending: str, content: str) -> None:
    path = write(tmp_path, f"m.{ending}", CONTENTS[content])
    with opened(path) as manifest:
        assert [each.id for each in manifest.entries()] == ["1", "2"]
        told = [note for note in manifest.notices() if note.code == "format-by-content"]
    assert len(told) == (ending != "txt" and content not in RIGHT[ending])


@pytest.mark.parametrize("ending", ["json", "jsonl", "yaml"])
def test_a_table_of_unknown_columns_is_one_whatever_its_name(tmp_path: Path, ending: str) -> None:
    text = "Nr\tBild\tTitel\n1\thttps://a.example/1.jpg\tA\n"
    path = write(tmp_path, f"m.{ending}", text)
    (found,) = read(path, maps=["id=Nr", "url=Bild", "fileName=Titel"])
    assert (found.id, found.file_name) == ("1", "A")


def test_yaml_that_begins_as_json_does_is_yaml(tmp_path: Path) -> None:
    flow = "[{id: 1, url: https://a.example/1.jpg, fileName: A}]\n"
    with opened(write(tmp_path, "m.yaml", flow)) as manifest:
        assert manifest.files[0].detected.format is ManifestFormat.YAML
        assert not manifest.notices()


JOINED = {
    "two arrays": ("json", ARRAY + "\n" + ARRAY),
    "two bodies": ("json", CONTENTS["body"] + "\n" + CONTENTS["body"]),
    "another header": ("csv", CSV + "url,id,fileName\nhttps://a.example/3.jpg,3,A\n"),
    "a table behind an array": ("json", ARRAY + "\n" + CSV),
    "one header again": ("csv", CSV + CSV.replace("1", "3").replace("2", "4")),
    "one header again, with a mark": ("csv", CSV + "\ufeff" + CSV.replace("1", "3")),
    "lines behind a table": ("csv", CSV + LINES),
    "a table behind lines": ("jsonl", LINES + CSV),
    "an array behind lines": ("jsonl", LINES + ARRAY),
}


@pytest.mark.parametrize("joined", JOINED)
def test_files_joined_are_named_as_that(tmp_path: Path, joined: str) -> None:
    ending, content = JOINED[joined]
    path = write(tmp_path, f"m.{ending}", content)
    try:
        with opened(path) as manifest:
            found = validate(manifest, Checker(config.default()))
    except ManifestError as error:
        told = error.message
    else:
        assert found.invalid
        told = " ".join(each.message for each in found.problems)
    assert "two files joined?" in told or "does another file" in told


def test_a_second_list_of_yaml_is_read_and_told(tmp_path: Path) -> None:
    more = YAML.replace("id: 1", "id: 3").replace("id: 2", "id: 4")
    with opened(write(tmp_path, "m.yaml", f"{YAML}---\n{more}")) as manifest:
        assert [each.id for each in manifest.entries()] == ["1", "2", "3", "4"]
        assert [note.code for note in manifest.notices()] == ["joined-files"]


ONE = json.dumps(entry(1))
FOREIGN = {
    f"// exported\n{ARRAY}": "a comment",
    f"/* it's\n{{ */ {ARRAY}": "a comment",
    f"# exported\n{ARRAY}": "a comment",
    f"[ // it's {{\n{ONE}]": "a comment",
    f"[{ONE}, # and\n{ONE}]": "a comment",
    f"{ARRAY}\n// end": "a comment",
    '[{"id": "1", // the id\n"url": "x"}]': "a comment",
    '[{"id": "1", // it\'s "\n"url": "x"}]': "a comment",
    f"[{ONE},]": "a comma",
    '[{"id": "1",}]': "a comma",
    f'{{"images": [{ONE}],}}': "a comma",
    "[{'id': '1'}]": "double quotes",
    '[{id: "1"}]': "double quotes",
    '[{"id": "1", "url": None}]': "write null",
    '[{"id": True}]': "write true",
    json.dumps(ARRAY): "one text",
}


@pytest.mark.parametrize("content", FOREIGN)
def test_what_json_has_not_is_named(tmp_path: Path, content: str) -> None:
    try:
        problems = read(write(tmp_path, "m.json", content))[0].problems
        told = " ".join(f"{each.message} {each.hint}" for each in problems)
    except ManifestError as error:
        told = f"{error.message} {error.hint}"
    assert FOREIGN[content] in told
