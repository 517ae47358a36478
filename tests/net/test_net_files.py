"""Local files: what lies below an allowed folder, and nothing else."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldimport.errors import Rejected
from ldimport.local_names import locate_below, nearest
from ldimport.net import files
from ldimport.net.files import read_below

LIMIT = 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "2003").mkdir(parents=True)
    (root / "2003/a b.png").write_bytes(b"photo")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return root


def refused(root: Path, relative: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_below([str(root)], relative, LIMIT)
    return caught.value


@pytest.mark.parametrize(
    "relative", ["2003/a b.png", "2003/a%20b.png", "./2003/../2003//a b.png", "2003%2Fa%20b.png"]
)
def test_a_file_is_read_by_any_spelling_of_its_path(folder: Path, relative: str) -> None:
    assert read_below([str(folder)], relative, LIMIT) == b"photo"
    assert locate_below(folder, relative) == (folder / "2003/a b.png").resolve()


def test_the_literal_name_comes_before_the_decoded_one(folder: Path) -> None:
    (folder / "a%20b.png").write_bytes(b"literal")
    (folder / "a b.png").write_bytes(b"decoded")
    assert read_below([str(folder)], "a%20b.png", LIMIT) == b"literal"


def test_the_first_root_that_has_the_file_gives_it(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.png").write_bytes(b"other")
    roots = [str(folder), str(other)]
    assert read_below(roots, "x.png", LIMIT) == b"other"
    assert read_below(roots, "2003/a b.png", LIMIT) == b"photo"


@pytest.mark.parametrize(
    "relative", ["../secret.png", "2003/../../secret.png", "%2e%2e/secret.png", "..%2Fsecret.png"]
)
def test_nothing_outside_the_folder_is_read(folder: Path, relative: str) -> None:
    assert refused(folder, relative).code == "outside-folder"


def test_an_absolute_path_is_outside(folder: Path, tmp_path: Path) -> None:
    assert refused(folder, str(tmp_path / "secret.png")).code == "outside-folder"


def test_a_folder_whose_name_begins_the_same_is_outside(folder: Path) -> None:
    beside = folder.with_name("photos2")
    beside.mkdir()
    (beside / "x.png").write_bytes(b"secret")
    assert refused(folder, "../photos2/x.png").code == "outside-folder"


def test_links_are_followed_inside_and_refused_outside(folder: Path, tmp_path: Path) -> None:
    (folder / "in.png").symlink_to(folder / "2003/a b.png")
    (folder / "years").symlink_to(folder / "2003")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "up").symlink_to(tmp_path)
    assert read_below([str(folder)], "in.png", LIMIT) == b"photo"
    assert read_below([str(folder)], "years/a b.png", LIMIT) == b"photo"
    assert refused(folder, "out.png").code == "outside-folder"
    assert refused(folder, "up/secret.png").code == "outside-folder"


def test_a_root_may_itself_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert read_below([str(tmp_path / "link")], "2003/a b.png", LIMIT) == b"photo"


@pytest.mark.parametrize("swapped", ["2003", "2003/a b.png"])
def test_a_link_put_in_place_after_the_check_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """Between check and opening somebody swaps the folder, or the file, for a link outwards."""

    def check_and_swap(found: os.stat_result, relative: str, max_bytes: int) -> None:
        monkeypatch.undo()
        original(found, relative, max_bytes)
        (folder / swapped).rename(tmp_path / "away")
        target = outside if swapped == "2003" else outside / "a b.png"
        (folder / swapped).symlink_to(target)

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a b.png").write_bytes(b"secret")
    original = files._check
    monkeypatch.setattr(files, "_check", check_and_swap)
    assert refused(folder, "2003/a b.png").code == "not-readable"
    assert (folder / "2003/a b.png").read_bytes() == b"secret"  # the swap was real


def test_only_regular_files_are_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        assert refused(folder, "socket").code == "not-a-file"
    assert refused(folder, "pipe").code == "not-a-file"  # and does not wait for a writer
    assert refused(folder, "2003").code == "not-a-file"
    assert refused(folder, ".").code == "not-a-file"
    assert refused(Path("/dev"), "zero").code == "not-a-file"


@pytest.mark.parametrize(
    "relative", ["none.png", "2003/none.png", "2003/a b.png/x", "a\0b", "x" * 5_000]
)
def test_what_is_not_there_is_said(folder: Path, relative: str) -> None:
    found = refused(folder, relative)
    assert (found.code, found.retryable) == ("no-such-file", False)
    assert "no such file" in found.reason


def test_a_loop_of_links_is_no_file(folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert refused(folder, "a").code == "no-such-file"


def test_the_limit_is_exact(folder: Path) -> None:
    (folder / "fits.png").write_bytes(bytes(LIMIT))
    (folder / "over.png").write_bytes(bytes(LIMIT + 1))
    assert len(read_below([str(folder)], "fits.png", LIMIT)) == LIMIT
    found = refused(folder, "over.png")
    assert found.code == "too-many-bytes"
    assert "1,001" in found.reason
    assert "1,000" in found.reason


def test_a_file_that_grows_while_it_is_read_stays_within_the_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = folder / "growing.png"
    growing.write_bytes(b"small")
    original = os.fstat

    def grow(descriptor: int) -> os.stat_result:
        found = original(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_size == 5:
            growing.write_bytes(bytes(LIMIT * 3))
        return found

    monkeypatch.setattr(files.os, "fstat", grow)
    assert refused(folder, "growing.png").code == "too-many-bytes"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said(folder: Path) -> None:
    (folder / "2003/a b.png").chmod(0)
    assert refused(folder, "2003/a b.png").code == "not-readable"


def test_without_roots_no_file_is_read() -> None:
    with pytest.raises(Rejected) as caught:
        read_below([], "a.png", LIMIT)
    assert caught.value.code == "outside-folder"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab./%25eE\\~ü\0", max_size=40))
def test_whatever_the_path_says_only_a_file_below_is_read(folder: Path, relative: str) -> None:
    try:
        body = read_below([str(folder)], relative, LIMIT)
    except Rejected as rejected:
        assert rejected.code in ("no-such-file", "outside-folder", "not-a-file")
    else:
        assert body == b"photo"


# -- one name, written in several ways -----------------------------------------------------


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("on_disk", "asked"),
    [
        ("Zu\u0308rich/Fra\u0302nzi.png", "Zürich/Fränzi.png".replace("ä", "â")),
        ("Zürich.png", "Zu\u0308rich.png"),
        ("2003/IMG_1.JPG", "2003/img_1.jpg"),
        ("Fotos/IMG_1.JPG", "fotos/IMG_1.jpg"),
        ("ZU\u0308RICH.PNG", "z%C3%BCrich.png"),
    ],
)
def test_a_name_is_found_in_the_other_form_and_case(
    tmp_path: Path, on_disk: str, asked: str
) -> None:
    made(tmp_path, on_disk)
    assert locate_below(tmp_path, asked) == tmp_path / on_disk
    assert read_below([str(tmp_path)], asked, 10) == b"x"


def test_the_exact_name_wins_and_of_two_in_other_case_none(tmp_path: Path) -> None:
    made(tmp_path, "a.png", "A.PNG", "A.png")
    assert locate_below(tmp_path, "A.png").name == "A.png"
    with pytest.raises(Rejected, match="no such file"):
        locate_below(tmp_path, "a.Png")
    made(tmp_path, "u\u0308.png", "U\u0308.png")
    assert locate_below(tmp_path, "ü.png").name == "u\u0308.png"


def test_another_case_leads_out_of_no_folder(tmp_path: Path) -> None:
    made(tmp_path, "secret.png", "in/a.png")
    (tmp_path / "in" / "LINK.png").symlink_to(tmp_path / "secret.png")
    for asked in ("link.png", "../Secret.png", "A.png/../../secret.PNG"):
        with pytest.raises(Rejected):
            locate_below(tmp_path / "in", asked)


def test_the_nearest_name_is_proposed(tmp_path: Path) -> None:
    made(tmp_path, "Fotos/Rheinfall_01.jpg", "Fotos/Bahnhof.jpg")
    assert nearest(tmp_path, "fotos/Rheinfall-1.jpg") == "fotos/Rheinfall_01.jpg"
    assert nearest(tmp_path, "fotos/xyz.tif") is None
    assert nearest(tmp_path, "nowhere/Bahnhof.jpg") is None
