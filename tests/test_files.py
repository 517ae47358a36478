"""The one writer of files: whole or not at all, private, and it damages no machine."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ldimport.errors import TemporaryError, UsageError
from ldimport.files import NewFile, Spool, appended, write_new

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def write(path: Path | str, text: str = "new\n") -> None:
    with NewFile(path) as file:
        file.write(text)


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def device(tmp_path: Path) -> Callable[[int], Path]:
    """Make a character device of our own: a broken writer would take the machine's away."""

    def make(minor: int) -> Path:
        path = tmp_path / "device"
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            path.open("w").close()
        except (OSError, AttributeError):
            pytest.skip("only root makes devices, and not on every file system")
        return path

    return make


NULL, FULL = 3, 7


# -- regular files -------------------------------------------------------------------------


@posix
@pytest.mark.usefixtures("umask")
def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o600


def test_it_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    with NewFile(path) as file:
        file.write("new\n")
        assert path.read_text() == "old\n"
    assert path.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_old_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    with pytest.raises(KeyboardInterrupt), NewFile(path) as file:
        file.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_durable_when_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_sync(descriptor)

    def replace(one: Path, other: Path) -> None:
        done.append("rename")
        real_replace(one, other)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write(tmp_path / "a")
    assert done == (["file", "rename", "folder"] if sys.platform != "win32" else done)


def test_a_long_name_leaves_room_for_no_other(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write(path)
    assert path.read_text() == "new\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [(".", "unwritable"), ("missing/a", "no-such-file"), ("file/a", "no-such-file"),
     ("n" * 256, "unwritable"), ("loop", "unwritable")],
)  # fmt: skip
def test_where_no_file_can_be_is_said_at_once(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError) as caught:
        NewFile(tmp_path / name)
    assert caught.value.code == code
    assert {each.name for each in tmp_path.iterdir()} == {"file", "loop"}


# -- links ---------------------------------------------------------------------------------


@posix
def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    real = tmp_path / "there" / "real"
    real.write_text("old\n")
    (tmp_path / "middle").symlink_to("there/real")
    (tmp_path / "link").symlink_to("middle")
    write(tmp_path / "link")
    assert real.read_text() == "new\n"
    assert (tmp_path / "link").readlink() == Path("middle")
    assert not real.is_symlink()
    assert {each.name for each in tmp_path.iterdir()} == {"there", "middle", "link"}


@posix
def test_a_link_to_nothing_makes_its_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new")
    write(tmp_path / "link")
    assert (tmp_path / "new").read_text() == "new\n"
    assert (tmp_path / "link").is_symlink()


# -- what is no regular file ---------------------------------------------------------------


def test_a_device_stays_a_device(device: Callable[[int], Path], tmp_path: Path) -> None:
    path = device(NULL)
    (tmp_path / "link").symlink_to(path)
    write(path)
    write(tmp_path / "link")
    assert stat.S_ISCHR(path.lstat().st_mode)
    assert mode(path) & 0o200


def test_a_full_device_is_a_full_disk(device: Callable[[int], Path], tmp_path: Path) -> None:
    path = device(FULL)
    with pytest.raises(TemporaryError, match="No space left"):
        write(path)
    with pytest.raises(TemporaryError, match="No space left"):
        write(path, "x" * 100_000)
    assert stat.S_ISCHR(path.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()), daemon=True)
    reader.start()
    write(path, "through\n")
    reader.join()
    assert read == ["through\n"]
    assert stat.S_ISFIFO(path.lstat().st_mode)


@posix
def test_a_reader_that_went_away_is_no_error_of_the_disk(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with pytest.raises(BrokenPipeError):
            write(f"/dev/fd/{writer}")
    finally:
        os.close(writer)


@posix
def test_a_socket_stays_and_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(UsageError, match="cannot be written"):
            write("socket")
    assert stat.S_ISSOCK(Path("socket").lstat().st_mode)


STREAMS = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"]
PROGRAM = """
import sys
from ldimport.files import NewFile
print("before")
with NewFile(sys.argv[1]) as file:
    file.write("new\\n")
print("after")
"""


@posix
@pytest.mark.parametrize("name", STREAMS)
def test_an_open_stream_is_written_to_where_it_stands(tmp_path: Path, name: str) -> None:
    """Also when it is a file: opened by its name, it would begin anew."""
    if not Path(name).parent.exists():
        pytest.skip("no such names here")
    (tmp_path / "link").symlink_to("/dev/stdout")
    out = tmp_path / "out"
    out.write_text("first\n")
    number = out.stat().st_ino
    with out.open("a") as stdout:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, name], check=True, stdout=stdout, cwd=tmp_path
        )
    assert out.read_text() == "first\nbefore\nnew\nafter\n"
    assert out.stat().st_ino == number
    assert {each.name for each in tmp_path.iterdir()} == {"link", "out"}


@posix
def test_a_stream_that_is_not_open_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        NewFile("/dev/fd/987")


# -- logs and files that must be new -------------------------------------------------------


@posix
def test_a_log_grows_and_follows_no_link(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for line in ("one\n", "two\n"):
        with appended(path) as log:
            log.write(line)
    assert path.read_text() == "one\ntwo\n"
    assert mode(path) == 0o600
    (tmp_path / "link").symlink_to("log")
    with pytest.raises(UsageError, match="link cannot be written"):
        appended(tmp_path / "link")
    with pytest.raises(UsageError, match="no such folder"):
        appended(tmp_path / "missing" / "log")


@posix
def test_a_log_may_be_an_open_stream(capfd: pytest.CaptureFixture[str]) -> None:
    with appended(Path("/dev/stderr")) as log:
        log.write("said\n")
    assert capfd.readouterr().err == "said\n"


@posix
def test_a_file_that_must_be_new_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "crash"
    write_new(path, "what \ud800 happened\n")
    assert path.read_text() == "what ? happened\n"
    assert mode(path) == 0o600
    (tmp_path / "link").symlink_to("elsewhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(UsageError, match="exists"):
            write_new(taken, "again")
    assert {each.name for each in tmp_path.iterdir()} == {"crash", "link"}


# -- lines that wait -----------------------------------------------------------------------


def test_waiting_lines_come_back_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a")
    assert list(spool) == []
    for line in (b"one", b"", b"three"):
        spool.add(line)
    assert (spool.count, list(spool), list(spool)) == (
        3,
        [b"one", b"", b"three"],
        [b"one", b"", b"three"],
    )
    spool.close()
    spool.close()
    assert list(tmp_path.iterdir()) == []


# -- what killed writers leave ---------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from ldimport.files import NewFile

file = NewFile(sys.argv[1])
file.write("half of it" * 1000)
if sys.argv[2] == "at the rename":
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    file.commit()
if sys.argv[2] == "alive":
    print("ready", flush=True)
    sys.stdin.readline()
    file.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@posix
@pytest.mark.parametrize("when", ["while it writes", "at the rename"])
def test_what_a_killed_writer_left_goes_with_the_next_file_beside_it(
    tmp_path: Path, when: str
) -> None:
    (tmp_path / "old.csv").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "old.csv"), when], check=False, timeout=60
    )
    assert done.returncode == -9 and len(names(tmp_path)) == 2
    assert (tmp_path / "old.csv").read_text() == "old"
    write(tmp_path / "other.csv")
    assert names(tmp_path) == ["old.csv", "other.csv"]


@posix
def test_a_live_writer_and_strangers_keep_their_files(tmp_path: Path) -> None:
    ours = [".ldimport-a.tmp.txt", ".other-a.tmp", "ldimport-a.tmp"]
    for name in ours:
        (tmp_path / name).write_text("somebody else's")
    (tmp_path / ".ldimport-folder.tmp").mkdir()
    os.mkfifo(tmp_path / ".ldimport-pipe.tmp")
    words = [sys.executable, "-c", KILLED, str(tmp_path / "slow.csv"), "alive"]
    with subprocess.Popen(words, stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdin is not None and writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        with NewFile(tmp_path / "mine.csv") as one, NewFile(tmp_path / "too.csv") as two:
            one.write("1")
            two.write("2")
        writer.stdin.write("go on\n")
        writer.stdin.flush()
        writer.wait(60)
    assert (tmp_path / "slow.csv").read_text() == "half of it" * 1000
    assert set(names(tmp_path)) >= {*ours, ".ldimport-folder.tmp", "mine.csv", "too.csv"}


@pytest.mark.skipif(sys.platform != "linux", reason="a descriptor's name is asked of /proc")
def test_a_file_cleared_up_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ldimport import files

    taken: list[str] = []

    def late(descriptor: int) -> None:
        if len(taken) < 2:
            taken.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
            Path(taken[-1]).unlink()

    monkeypatch.setattr(files, "hold", late)
    write(tmp_path / "a.csv")
    assert len(set(taken)) == 2
    assert names(tmp_path) == ["a.csv"]
