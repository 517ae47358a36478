"""Files, folders, patterns, compression, standard input, and files that change."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path

import pytest
import zstandard
from manifests import HEADER, opened, read, write

from ldimport.errors import ConfigError, ExitCode, ManifestError, UsageError
from ldimport.manifest import open_manifest, read_manifest

ROW = HEADER + "{0},u{0},n,,\n"
JSON = '{{"systemName":"{1}","images":[{{"id":"{0}","url":"u"}}]}}'


def ids(*paths: Path | str) -> list[str]:
    with open_manifest(list(paths)) as manifest:
        return [entry.id for entry in manifest.entries()]


def test_several_files_are_one_manifest_numbered_on(tmp_path: Path) -> None:
    first = write(tmp_path, "b.csv", ROW.format(1) + "2,u,,,\n")
    second = write(tmp_path, "a.jsonl", '{"id":"3","url":"u"}')
    with open_manifest([first, second]) as manifest:
        assert manifest.name == f"{first} and 1 more"
        assert manifest.folder == tmp_path
        assert manifest.bytes_total == first.stat().st_size + second.stat().st_size
        assert manifest.table is None
        entries = list(manifest.entries())
        assert [(e.id, e.place.row, e.place.line) for e in entries] == [
            ("1", 1, 2),
            ("2", 2, 3),
            ("3", 3, 1),
        ]
        assert [Path(e.place.file).name for e in entries] == ["b.csv", "b.csv", "a.jsonl"]
        assert list(manifest.entries()) == entries


def test_progress_goes_on_over_several_files(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{n}.csv", ROW.format(n)) for n in range(3)]
    seen: list[int] = []
    with open_manifest(paths) as manifest:
        list(manifest.entries(seen.append))
        assert seen == sorted(seen)
        assert seen[-1] == manifest.bytes_total


def test_a_folder_means_the_manifests_in_it(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden.csv", "_old.csv"):
        write(tmp_path, name, ROW.format(name))
    write(tmp_path, "ldimport.yaml", "systemName: x\n")
    write(tmp_path, "project-config.json", "{}")
    write(tmp_path, "photo.jpg", b"\xff\xd8")
    (tmp_path / "sub.csv").mkdir()
    assert ids(tmp_path) == ["a.csv", "b.csv"]


def test_patterns_are_sorted_and_nothing_is_read_twice(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.csv", "a.csv", "deep/c.csv"):
        write(tmp_path, name, ROW.format(name))
    assert ids(f"{tmp_path}/*.csv") == ["a.csv", "b.csv"]
    assert ids(f"{tmp_path}/**/*.csv", tmp_path / "b.csv") == ["a.csv", "b.csv", "deep/c.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    write(tmp_path, "a1.csv", ROW.format("no"))
    assert ids(write(tmp_path, "a[1].csv", ROW.format("yes"))) == ["yes"]


def test_a_missing_file_is_guessed(tmp_path: Path) -> None:
    write(tmp_path, "archive.csv", ROW.format(1))
    with pytest.raises(UsageError, match=r"archive\.cvs: no such file") as caught:
        ids(tmp_path / "archive.cvs")
    assert caught.value.hint == f"did you mean {tmp_path / 'archive.csv'}?"
    assert (caught.value.code, caught.value.exit_code) == ("no-such-file", ExitCode.USAGE)


@pytest.mark.parametrize("path", ["nowhere/at/all.csv", "*.csv", "a\0b.csv"])
def test_what_is_not_there_is_a_usage_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError) as caught:
        ids(f"{tmp_path}/{path}")
    assert caught.value.code == "no-such-file"


def test_a_file_below_a_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        ids(write(tmp_path, "a.csv", ROW.format(1)) / "b.csv")


def test_a_folder_without_manifests_is_no_manifest(tmp_path: Path) -> None:
    write(tmp_path, "photo.jpg", b"\xff\xd8")
    with pytest.raises(ManifestError, match="holds no manifest") as caught:
        ids(tmp_path)
    assert ".csv" in (caught.value.hint or "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_with_a_name_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ManifestError, match="is not a file"):
        ids(tmp_path / "pipe.csv")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "yaml"])
@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_compressed_files_of_every_format(tmp_path: Path, ending: str, packing: str) -> None:
    content = {
        "csv": ROW.format("ä"),
        "jsonl": '{"id":"ä","url":"u"}\n',
        "json": JSON.format("ä", "s"),
        "yaml": "- {id: ä, url: u}\n",
    }[ending].encode()
    packed = gzip.compress(content) if packing == "gz" else zstandard.compress(content)
    path = write(tmp_path, f"a.{ending}.{packing}", packed)
    with opened(path) as manifest:
        (entry,) = manifest.entries()
        assert entry.id == "ä"
        assert manifest.files[0].detected.format == ending
        assert manifest.source_line(manifest.locate(entry, "id")) is not None


def test_two_packed_pieces_are_one_file(tmp_path: Path) -> None:
    both = gzip.compress(ROW.format(1).encode()) + gzip.compress(b"2,u,,,\n")
    assert ids(write(tmp_path, "a.csv.gz", both)) == ["1", "2"]
    both = zstandard.compress(ROW.format(1).encode()) + zstandard.compress(b"2,u,,,\n")
    assert ids(write(tmp_path, "a.csv.zst", both)) == ["1", "2"]


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_damaged_archive_is_named(tmp_path: Path, packing: str) -> None:
    rows = (HEADER + "".join(f"{n},u{n * 7919},n,,\n" for n in range(60_000))).encode()
    packed = bytearray(gzip.compress(rows) if packing == "gz" else zstandard.compress(rows))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    with pytest.raises(ManifestError, match="cannot be unpacked"):
        ids(write(tmp_path, f"a.csv.{packing}", bytes(packed)))


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    packed = gzip.compress((HEADER + "1,u,n,,\n" * 50_000).encode())
    with pytest.raises(ManifestError, match="cannot be unpacked"):
        ids(write(tmp_path, "a.csv.gz", packed[:-12]))


def test_zstd_without_its_part_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ConfigError) as caught:
        ids(write(tmp_path, "a.csv.zst", zstandard.compress(b"x")))
    assert caught.value.hint and caught.value.hint.startswith(
        "pip install '.[zstd]'   in the clone"
    )


class _Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_standard_input_is_read_as_often_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(ROW.format(1).encode()))
    with open_manifest(["-", "-"]) as manifest:
        assert (manifest.name, manifest.folder) == ("stdin", Path())
        assert manifest.files[0].path == "-"
        spool = manifest._sources[0].path
        entries = list(manifest.entries())
        assert list(manifest.entries()) == entries
        assert entries[0].place.file == "stdin"
        assert manifest.locate(entries[0], "url").column == 3
        manifest.check_unchanged()
    assert not Path(spool).exists()


def test_empty_standard_input_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(b""))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ManifestError, match="stdin is empty"):
        ids("-")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_a_killed_run_left_goes_at_the_next_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "ldimport-stdin-left").write_bytes(b"id,url\n")
    monkeypatch.setattr(sys, "stdin", _Stdin(ROW.format(1).encode()))
    with open_manifest(["-"]) as one:
        monkeypatch.setattr(sys, "stdin", _Stdin(ROW.format(2).encode()))
        with open_manifest(["-"]) as two:
            assert len(list(tmp_path.iterdir())) == 2, "those in use stay"
            assert [len(list(each.entries())) for each in (one, two)] == [1, 1]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_stops_the_command(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ROW.format(1))
    with open_manifest([path]) as manifest:
        manifest.check_unchanged()
        list(manifest.entries())
        with path.open("a") as file:
            file.write("2,u,,,\n")
        for read_again in (manifest.check_unchanged, lambda: list(manifest.entries())):
            with pytest.raises(ManifestError, match="changed while it was being read") as caught:
                read_again()
            assert caught.value.exit_code is ExitCode.INVALID


def test_a_change_is_noticed_after_the_last_row_and_before_the_first(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ROW.format(1))
    with open_manifest([path]) as manifest:
        entries = manifest.entries()
        assert next(entries).id == "1"
        os.utime(path, ns=(1, 1))
        with pytest.raises(ManifestError, match="changed"):
            next(entries)
        with pytest.raises(ManifestError, match="changed"):
            next(manifest.entries())


def test_a_file_replaced_or_removed_has_changed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ROW.format(1))
    other = write(tmp_path, "b.csv", ROW.format(1))
    stamp = path.stat()
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with open_manifest([path]) as manifest:
        other.replace(path)
        with pytest.raises(ManifestError, match="changed"):
            manifest.check_unchanged()
        path.unlink()
        with pytest.raises(ManifestError, match="changed"):
            manifest.check_unchanged()


def test_headers_of_several_files_must_agree(tmp_path: Path) -> None:
    first = write(tmp_path, "a.json", JSON.format(1, "one"))
    same = write(tmp_path, "b.json", JSON.format(2, "one"))
    other = write(tmp_path, "c.json", JSON.format(3, "two"))
    with open_manifest([first, same, write(tmp_path, "d.csv", ROW.format(4))]) as manifest:
        assert manifest.header.system_name == "one"
    with pytest.raises(ManifestError, match="differ in systemName"):
        ids(first, other)


def test_closing_twice_is_harmless_and_reading_may_stop_early(tmp_path: Path) -> None:
    for name, text in (
        ("a.csv", ROW.format(1) + "2,u,,,\n"),
        ("b.yaml", "- {id: 1, url: u}\n" * 9),
    ):
        manifest = open_manifest([write(tmp_path, name, text)])
        entry = next(entries := manifest.entries())
        manifest.locate(entry, "id")
        entries.close()  # type: ignore[attr-defined]
        manifest.close()
        manifest.close()


def test_the_public_function_reads_one_manifest(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id;url\n1;Z\xfcrich\n".encode("cp1252"))
    assert [e.url for e in read_manifest(path, encoding="cp1252")] == ["Zürich"]
    assert read(path)[0].url == "Zürich"
