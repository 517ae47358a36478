"""What webhooks said waits beside the state file, whatever happens to whoever writes or reads."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ldimport.errors import LockedError, TemporaryError
from ldimport.migration import inbox as module
from ldimport.migration.inbox import Inbox
from ldimport.model import Counts, JobHint

ONE = JobHint("25bzj8j", "success", Counts(771, 0, 29), "k1")
TWO = JobHint("9kk12b", "failed")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_what_is_added_is_read_once_and_again_by_the_next_run(state: Path) -> None:
    listener, run = Inbox(state), Inbox(state)
    assert run.new() == []
    assert listener.add(ONE) and listener.add(TWO)
    assert run.new() == [ONE, TWO] and run.new() == []
    assert listener.add(JobHint("c", "lost")) and run.new() == [JobHint("c", "lost")]
    assert Inbox(state).new() == [ONE, TWO, JobHint("c", "lost")]
    assert stat.S_IMODE(listener.path.stat().st_mode) == 0o600


def test_the_same_again_is_written_once_also_after_a_restart(state: Path) -> None:
    assert Inbox(state).add(ONE)
    again = Inbox(state)
    assert not again.add(ONE) and again.add(TWO) and Inbox(state).all() == [ONE, TWO]


def test_jobs_that_have_ended_are_dropped(state: Path) -> None:
    listener, run = Inbox(state), Inbox(state)
    listener.add(ONE)
    listener.add(TWO)
    run.new()
    run.drop({"25bzj8j"})
    assert Inbox(state).all() == [TWO]
    listener.add(JobHint("c", "success"))
    assert JobHint("c", "success") in run.new()


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_that_a_kill_cut_off_harms_no_other(state: Path, cut: int) -> None:
    Inbox(state).add(ONE)
    path = Inbox(state).path
    path.write_bytes(path.read_bytes() + path.read_bytes()[:cut])
    run = Inbox(state)
    assert run.new() == [ONE]
    assert Inbox(state).add(TWO)
    assert run.new() == [TWO] and Inbox(state).all() == [ONE, TWO]


def test_what_is_not_ours_is_passed_over(state: Path) -> None:
    Inbox(state).path.write_bytes(b'\xff\xfe\n[]\n{"job": 1}\nnull\n' + b"[" * 9_999 + b"\n")
    assert Inbox(state).new() == []
    assert Inbox(state).add(ONE) and Inbox(state).all() == [ONE]


def test_a_full_disk_is_told_and_leaves_whole_lines(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Inbox(state)
    listener.add(ONE)
    whole, real = listener.path.read_bytes(), os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:-10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TemporaryError, match="full") as caught:
        listener.add(TWO)
    monkeypatch.undo()
    assert caught.value.code == "disk-full" and listener.path.read_bytes() == whole
    assert listener.add(TWO)


def test_it_stays_bounded_and_the_newest_stay(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 3_000)
    listener, run = Inbox(state), Inbox(state)
    seen = set()
    for n in range(200):
        listener.add(JobHint(f"job-{n}", "success"))
        seen |= {each.job for each in run.new()}
        assert listener.path.stat().st_size <= 3_000
    assert len(seen) == 200 and Inbox(state).all()[-1].job == "job-199"


def test_one_listens_at_a_time_and_runs_know(state: Path) -> None:
    assert not Inbox(state).listened
    with Inbox(state).listening():
        assert Inbox(state).listened
        with pytest.raises(LockedError, match="already listens"), Inbox(state).listening():
            pass
    assert not Inbox(state).listened
