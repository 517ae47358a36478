"""Several images under way at a time: what each comes to, whatever becomes of the others."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from random import Random

import pytest
from media_files import Breaking, chunk, gif, jpeg, jpeg_with, photoshop, png, svg

from ldimport.errors import TemporaryError
from ldimport.media import arena, child_process
from ldimport.media.arena import Arena
from ldimport.media.inspect import inspect
from ldimport.media.protocol import Work
from ldimport.media.sandbox import MOST_IMAGES, Examined, Sandbox
from ldimport.model import Facts, ImageType, Limits

LIMITS = Limits()
TABLE = jpeg().index(b"\xff\xc4") + 5
DAMAGED = jpeg()[:TABLE] + b"\xff" * 16 + jpeg()[TABLE + 16 :]
DEADLY = png(before=chunk(b"teXt", b"deadly"))
ON_DEADLY = "if b'deadly' in bytes(data): {}"


def begun(sandbox: Sandbox, *images: bytes, work: Work = Work.DECODE) -> list[int]:
    return [sandbox.begin(each, inspect(each, LIMITS), work) for each in images]


def ended(sandbox: Sandbox, tickets: list[int]) -> list[Examined]:
    """What became of all of them, as they come."""
    found: dict[int, Examined] = {}
    while len(found) < len(tickets):
        now: Mapping[int, Examined] = sandbox.ended(10)
        assert not now.keys() & found.keys()
        found |= now
    assert list(found) == tickets
    return list(found.values())


def verdicts(sandbox: Sandbox, *images: bytes) -> list[str]:
    return [
        each.refused.code if each.refused else "sound"
        for each in ended(sandbox, begun(sandbox, *images))
    ]


def pid(sandbox: Sandbox) -> int:
    assert sandbox._child is not None
    return sandbox._child._process.pid


def test_each_gets_its_own_verdict_from_one_child() -> None:
    with Sandbox(LIMITS) as sandbox:
        images = [jpeg(), DAMAGED, png(), gif(), DAMAGED, jpeg(99, 77)] * 20
        assert len(images) > MOST_IMAGES
        assert verdicts(sandbox, jpeg()) == ["sound"]
        first = pid(sandbox)
        expected = ["corrupt" if each == DAMAGED else "sound" for each in images]
        assert verdicts(sandbox, *images) == expected
        assert pid(sandbox) == first


def test_what_is_asked_at_once_comes_out_of_turn() -> None:
    titled = jpeg_with(photoshop((5, b"A title")))
    with Sandbox(LIMITS) as sandbox:
        tickets = begun(sandbox, *[jpeg()] * 5, DAMAGED)
        assert sandbox.metadata(titled, inspect(titled, LIMITS)) == {"Title": "A title"}
        assert sandbox.sanitise(svg("<script/><g/>"))[1] == Facts(ImageType.SVG, 10, 5)
        assert [bool(each.refused) for each in ended(sandbox, tickets)] == [False] * 5 + [True]


def test_picture_and_metadata_go_in_one_turn() -> None:
    titled = jpeg_with(photoshop((5, b"A title")))
    with Sandbox(LIMITS) as sandbox:
        both = begun(sandbox, titled, png(), DAMAGED, work=Work.DECODE | Work.METADATA)
        first, second, third = ended(sandbox, both)
        assert (first.metadata, first.refused) == ({"Title": "A title"}, None)
        assert (second.metadata, second.refused) == ({}, None)
        assert third.refused is not None
        assert third.refused.code == "corrupt"
        assert sandbox._child is not None
        assert sandbox._child.answered == 3


def test_metadata_that_breaks_the_reader_refuses_no_picture(breaking: Breaking) -> None:
    """Together they break down, so they are tried apart."""
    breaking("pass", "from ldimport.media import metadata; metadata.extract = None")
    with Sandbox(LIMITS) as sandbox:
        both = begun(sandbox, jpeg(), DAMAGED, work=Work.DECODE | Work.METADATA)
        sound, damaged = ended(sandbox, both)
        assert (sound.metadata, sound.refused) == ({}, None)
        assert damaged.refused is not None
        assert damaged.refused.code == "corrupt"


@pytest.mark.parametrize("end", ["os.abort()", "raise MemoryError"])
def test_one_that_kills_the_child_fails_alone_among_many(breaking: Breaking, end: str) -> None:
    breaking(ON_DEADLY.format(end))
    with Sandbox(LIMITS) as sandbox:
        images = [jpeg(), png(), DEADLY, DAMAGED, jpeg(), DEADLY, gif()]
        assert verdicts(sandbox, *images) == [
            "sound", "sound", "too-complex", "corrupt", "sound", "too-complex", "sound",
        ]  # fmt: skip


def test_one_that_dies_once_only_is_not_judged_for_it(breaking: Breaking) -> None:
    """The first child dies over its first image, behind which others wait."""
    breaking(ON_DEADLY.format("os.environ.get('TMP') == '/first' and os.abort()"))
    with pytest.MonkeyPatch.context() as patched, Sandbox(LIMITS) as sandbox:
        patched.setenv("TMP", "/first")
        tickets = begun(sandbox, DEADLY, jpeg(), jpeg())
        patched.setenv("TMP", "/second")
        assert [each.refused for each in ended(sandbox, tickets)] == [None] * 3


def test_one_that_takes_too_long_holds_up_the_others_and_harms_none(breaking: Breaking) -> None:
    breaking(f"while {ON_DEADLY.format('').removeprefix('if ')[:-2]}: pass")
    with Sandbox(LIMITS, seconds=1) as sandbox:
        assert verdicts(sandbox, jpeg(), DEADLY, jpeg()) == ["sound", "too-complex", "sound"]


def test_a_child_that_somebody_kills_costs_no_image() -> None:
    with Sandbox(LIMITS) as sandbox:
        assert verdicts(sandbox, jpeg()) == ["sound"]
        tickets = begun(sandbox, *[jpeg()] * 40)
        os.kill(pid(sandbox), signal.SIGKILL)
        assert [each.refused for each in ended(sandbox, tickets)] == [None] * 40


def test_a_child_that_is_stuck_ends_the_run_and_leaves_nothing_behind() -> None:
    with Sandbox(LIMITS, seconds=1, patience=1) as sandbox:
        assert verdicts(sandbox, jpeg()) == ["sound"]
        os.kill(pid(sandbox), signal.SIGSTOP)
        tickets = begun(sandbox, jpeg(), jpeg())
        with pytest.raises(TemporaryError, match="did nothing for 1 seconds"):
            ended(sandbox, tickets)
        assert sandbox.ended(10) == {}
        assert verdicts(sandbox, jpeg(), DAMAGED) == ["sound", "corrupt"]


@pytest.mark.skipif(sys.platform == "win32", reason="where it is waited for at once")
def test_a_child_that_has_answered_is_not_blamed_for_our_being_late() -> None:
    with Sandbox(LIMITS, seconds=1, patience=0.4) as sandbox:
        assert verdicts(sandbox, jpeg()) == ["sound"]
        first = pid(sandbox)
        tickets = begun(sandbox, jpeg(), jpeg())
        time.sleep(1.5)  # more than three times its patience
        assert [each.refused for each in ended(sandbox, tickets)] == [None] * 2
        assert pid(sandbox) == first


def test_it_says_when_enough_is_under_way() -> None:
    with Sandbox(LIMITS) as sandbox:
        data, facts = jpeg(), inspect(jpeg(), LIMITS)
        tickets = [sandbox.begin(data, facts, Work.DECODE) for _ in range(MOST_IMAGES - 1)]
        assert not sandbox.is_full
        tickets.append(sandbox.begin(data, facts, Work.DECODE))
        assert sandbox.is_full
        ended(sandbox, tickets)
        assert not sandbox.is_full
        large = svg(f'<path d="{"M1 2" * 3_000_000}"/>')
        for _ in range(6):
            assert not sandbox.is_full
            sandbox.begin(large, None, Work.SANITISE)
        assert sandbox.is_full


# -- where the images lie --------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no memory files")
def test_images_lie_in_a_memory_file_one_behind_the_other_and_in_front_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arena, "SIZE", 1_000)
    place, chance, lying = Arena(), Random(1), []
    refused = 0
    for number in range(3_000):
        data = bytes([number % 256]) * chance.randrange(600)
        if (start := place.put(data)) is not None:
            lying.append((start, data))
        refused += start is None
        while lying and (start is None or chance.random() < 0.4):
            where, what = lying.pop(0)
            assert os.pread(place.descriptor, len(what), where) == what
            place.forget_oldest()
    assert 0 < refused < 1_000
    place.close()
    place.close()


@pytest.mark.parametrize("size", [3_000, 40_000])
def test_images_that_have_no_place_there_go_through_the_pipe(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    for module in (arena, child_process):
        monkeypatch.setattr(module, "SIZE", size)
    images = [jpeg(200, 150), png(), DAMAGED, jpeg(90, 60), jpeg(200, 150), gif()] * 8
    assert any(len(each) > 3_000 for each in images)
    expected = ["corrupt" if each == DAMAGED else "sound" for each in images]
    with Sandbox(LIMITS) as sandbox:
        assert verdicts(sandbox, *images) == expected


@pytest.mark.parametrize("error", [AttributeError, PermissionError])
def test_a_system_without_memory_files_does_without(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refused(_: str) -> int:
        raise error

    monkeypatch.setattr(os, "memfd_create", refused, raising=False)
    with Sandbox(LIMITS) as sandbox:
        images = [jpeg(2_000, 1_500), DAMAGED, png()] * 4
        assert verdicts(sandbox, *images) == ["sound", "corrupt", "sound"] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_descriptor_is_left_behind() -> None:
    with Sandbox(LIMITS) as sandbox:
        verdicts(sandbox, jpeg())
        sandbox.close()
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(3):
            verdicts(sandbox, jpeg())
            sandbox.close()
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
