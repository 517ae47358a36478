"""The limited child: found damage, limits, death and replacement."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_files import (
    Breaking,
    chunk,
    gif,
    gif_frame,
    jpeg,
    jpeg_with,
    photoshop,
    png,
    png_rows,
    segment,
    svg,
    xmp,
    xmp_segment,
)

from ldimport.errors import ConfigError, ExitCode, Rejected, TemporaryError
from ldimport.media.inspect import inspect
from ldimport.media.sandbox import Sandbox
from ldimport.model import Facts, ImageType, Limits
from ldimport.system import cpu_seconds

LIMITS = Limits()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as one:
        yield one


def pid(sandbox: Sandbox) -> int:
    assert sandbox._child is not None
    return sandbox._child._process.pid


def decode(sandbox: Sandbox, data: bytes) -> None:
    sandbox.decode(data, inspect(data, LIMITS))


def refusal(sandbox: Sandbox, data: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        decode(sandbox, data)
    return caught.value


def fault(sandbox: Sandbox, data: bytes) -> TemporaryError:
    with pytest.raises(TemporaryError) as caught:
        decode(sandbox, data)
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        png(),
        png(5, 5, 16, 6),
        jpeg(),
        jpeg(50, 30, "CMYK"),
        jpeg(99, 99, "L", progressive=True),
        gif(),
    ],
)
def test_sound_images_pass(sandbox: Sandbox, data: bytes) -> None:
    decode(sandbox, data)


def test_damage_that_structure_does_not_show(sandbox: Sandbox) -> None:
    short = png(packed=zlib.compress(png_rows(7, 4)))
    assert refusal(sandbox, short).code == "truncated"
    assert refusal(sandbox, gif(3, 2, gif_frame(9, 9))).code == "corrupt"
    whole = jpeg()
    table = whole.index(b"\xff\xc4") + 5
    bogus = whole[:table] + b"\xff" * 16 + whole[table + 16 :]
    assert "damaged JPEG" in refusal(sandbox, bogus).reason


def test_one_child_serves_many_images(sandbox: Sandbox) -> None:
    decode(sandbox, png())
    first = pid(sandbox)
    for data in (jpeg(), gif(), png()):
        decode(sandbox, data)
    refusal(sandbox, gif(3, 2, gif_frame(9, 9)))
    assert sandbox.sanitise(svg("<script/><g/>"))[1] == Facts(ImageType.SVG, 10, 5)
    assert pid(sandbox) == first


def test_svg_comes_back_clean(sandbox: Sandbox) -> None:
    stored, facts = sandbox.sanitise(svg('<rect onload="x" width="1"/><script>y</script>'))
    assert stored == (
        b'<svg xmlns="http://www.w3.org/2000/svg" height="5" width="10"><rect width="1"/></svg>'
    )
    assert facts == Facts(ImageType.SVG, 10, 5)
    with pytest.raises(Rejected) as caught:
        sandbox.sanitise(b"<html/>")
    assert caught.value.code == "not-an-image"


def test_metadata_is_read_in_the_child(sandbox: Sandbox) -> None:
    titled = jpeg_with(photoshop((5, "Zürich".encode())))
    decode(sandbox, png())
    first = pid(sandbox)
    assert sandbox.metadata(titled, inspect(titled, LIMITS)) == {"Title": "Zürich"}
    assert sandbox.metadata(svg(), Facts(ImageType.SVG, 10, 5)) == {}
    assert pid(sandbox) == first


def test_metadata_that_breaks_the_reader_is_left_out() -> None:
    deep = jpeg_with(xmp_segment("<a>" * 8_000 + "</a>" * 8_000))
    endless = png(before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp("<a/>" * 300_000)))
    with Sandbox(LIMITS, memory_bytes=10_000_000) as sandbox:
        assert sandbox.metadata(deep, Facts(ImageType.JPG, 16, 16)) == {}
        assert sandbox.metadata(endless, Facts(ImageType.PNG, 7, 5)) == {}
    with Sandbox(LIMITS) as sandbox:
        assert sandbox.metadata(deep, Facts(ImageType.JPG, 16, 16)) == {}


def test_large_images_go_through_the_pipes(sandbox: Sandbox) -> None:
    decode(sandbox, jpeg(2_500, 2_000, quality=95))
    path = "M1 2L3 4" * 300_000
    stored, _ = sandbox.sanitise(svg(f'<path d="{path}"/>'))
    assert path.encode() in stored


def test_an_svg_is_not_decoded(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="sanitise"):
        sandbox.decode(svg(), Facts(ImageType.SVG, 10, 5))


def test_an_image_that_takes_too_long_is_refused_and_the_next_one_is_not() -> None:
    bomb = svg("<style>" + "\\75 " * 3_500_000 + "</style>")
    with Sandbox(LIMITS, seconds=1) as sandbox:
        decode(sandbox, png())
        first = pid(sandbox)
        with pytest.raises(Rejected, match="more than 1 seconds") as caught:
            sandbox.sanitise(bomb)
        assert caught.value.code == "too-complex"
        decode(sandbox, png())
        assert pid(sandbox) != first


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_cpu_time_is_granted_to_each_image_anew() -> None:
    busy = svg("<style>" + "\\75 " * 50_000 + "</style>")  # a small part of what one may take
    with Sandbox(LIMITS, seconds=2) as sandbox:
        decode(sandbox, png())
        first = pid(sandbox)
        while cpu_seconds(first) < 4:  # together more than one may take
            sandbox.sanitise(busy)
        assert pid(sandbox) == first


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses RLIMIT_AS")
def test_memory_is_limited() -> None:
    facts = Facts(ImageType.GIF, 4_800, 4_900)
    data = gif(3, 2, gif_frame(4_800, 4_900))
    with Sandbox(LIMITS, memory_bytes=10_000_000) as sandbox:
        with pytest.raises(Rejected, match=r"too much memory|broke down") as caught:
            sandbox.decode(data, facts)
        assert caught.value.code == "too-complex"


def test_a_killed_child_is_replaced() -> None:
    with Sandbox(LIMITS) as sandbox:
        decode(sandbox, png())
        first = pid(sandbox)
        os.kill(first, signal.SIGKILL)
        decode(sandbox, png())  # no image is refused for it
        assert pid(sandbox) != first


def test_a_child_that_dies_while_a_large_image_is_sent_is_replaced() -> None:
    large = svg(f'<path d="{"M1 2" * 1_000_000}"/>')
    with Sandbox(LIMITS) as sandbox:
        decode(sandbox, png())
        os.kill(pid(sandbox), signal.SIGKILL)
        assert sandbox.sanitise(large)[1].width == 10


def test_a_stopped_child_is_no_verdict_on_the_image() -> None:
    with Sandbox(LIMITS, seconds=1, patience=1) as sandbox:
        decode(sandbox, png())
        os.kill(pid(sandbox), signal.SIGSTOP)
        assert fault(sandbox, png()).exit_code == ExitCode.TEMPORARY
        decode(sandbox, png())


@pytest.mark.skipif(sys.platform != "linux", reason="only there CPU time can be seen")
def test_a_child_that_gets_on_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(1_000))

    def slowly(process: int) -> float:
        if process != stopped:  # that of another test
            return cpu_seconds(process)
        if (look := next(looks)) == 12:
            os.kill(process, signal.SIGCONT)
        return float(look)

    with Sandbox(LIMITS, seconds=1, patience=1) as sandbox:  # five looks of no progress
        decode(sandbox, png())
        stopped = pid(sandbox)
        os.kill(stopped, signal.SIGSTOP)
        monkeypatch.setattr("ldimport.media.child_process.cpu_seconds", slowly)
        decode(sandbox, png())


def test_ctrl_c_is_left_to_the_parent() -> None:
    with Sandbox(LIMITS) as sandbox:
        decode(sandbox, png())
        first = pid(sandbox)
        os.kill(first, signal.SIGINT)
        decode(sandbox, png())
        assert pid(sandbox) == first


def test_closing_ends_the_child_and_may_happen_twice() -> None:
    sandbox = Sandbox(LIMITS)
    sandbox.close()
    decode(sandbox, png())
    child = pid(sandbox)
    sandbox.close()
    sandbox.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_child_dies_with_its_parent() -> None:
    program = (
        "import os; from ldimport.media.sandbox import Sandbox\n"
        "from ldimport.model import *\n"
        "s = Sandbox(Limits())\n"
        "s.sanitise(b'<svg/>')\n"
        "print(s._child._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    child = int(answer.stdout)
    assert answer.stderr == b""
    for _ in range(200):
        if not _alive(child):
            break
        time.sleep(0.02)
    assert not _alive(child)


def _alive(child: int) -> bool:
    try:
        os.kill(child, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{child}/stat")  # a zombie of a container without an init is dead too
    return not status.exists() or status.read_text().split()[2] != "Z"


def test_the_child_dies_with_its_parent_in_the_middle_of_an_image() -> None:
    program = (
        "import os, threading; from ldimport.media.sandbox import Sandbox\n"
        "from ldimport.model import *\n"
        "s = Sandbox(Limits(), seconds=600)\n"
        "s.sanitise(b'<svg/>')\n"
        "print(s._child._process.pid, flush=True)\n"
        "flushed = s._child._requests.flush\n"
        "class Requests:\n"
        "    write = s._child._requests.write\n"
        "    def flush(self): flushed(); os.kill(os.getpid(), 9)\n"
        "s._child._requests = Requests()\n"
        "s.sanitise(b'<svg><style>' + rb'\\75 ' * 3_500_000 + b'</style></svg>')\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    child = int(answer.stdout)
    used = 0.0
    while _alive(child) and used < 2:
        used = cpu_seconds(child)
        time.sleep(0.02)
    assert not _alive(child)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_child_sees_no_secret_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "LDIMPORT_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "CI_JOB_PATH",
        "HOME",
        "PYTHON_API_TOKEN",
    ):
        monkeypatch.setenv(name, "s3cret")
    with Sandbox(LIMITS) as sandbox:
        decode(sandbox, png())
        process = Path(f"/proc/{pid(sandbox)}")
        given = (process / "environ").read_bytes()
        assert b"s3cret" not in given
        assert b"PATH=" in given
        limits = (process / "limits").read_text()
        for name, most in (("processes", 0), ("file size", 0), ("core file size", 0)):
            assert re.search(rf"Max {name} +{most} ", limits)
        links = (process / "net/dev").read_text().splitlines()[2:]
        allowed = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
        if allowed.returncode == 0:
            assert [each.split(":")[0].strip() for each in links] == ["lo"]


# -- a decoder that cannot work is no verdict on images --------------------------------------------

DEADLY = png(before=chunk(b"teXt", b"deadly"))


@pytest.mark.parametrize(
    "end", ["os.abort()", "os.kill(os.getpid(), 9)", "raise MemoryError", "raise IndexError"]
)
def test_an_image_that_kills_the_decoder_fails_alone(breaking: Breaking, end: str) -> None:
    breaking(f"if b'deadly' in bytes(data): {end}")
    with Sandbox(LIMITS) as sandbox:
        for _ in range(3):  # one after the other: their number is no sign of a broken decoder
            assert refusal(sandbox, DEADLY).code == "too-complex"
        decode(sandbox, png())


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), 9)", "raise MemoryError"])
def test_a_decoder_that_breaks_down_over_sound_images_fails_none(
    breaking: Breaking, end: str
) -> None:
    breaking(end)
    with Sandbox(LIMITS) as sandbox:
        for data in (png(), gif()):
            error = fault(sandbox, data)
            assert (error.exit_code, error.code) == (ExitCode.TEMPORARY, "decoder")
            assert "over an image that is sound" in error.message


@pytest.mark.parametrize("data", [png(), jpeg(), gif()])
def test_a_decoder_that_is_broken_for_one_kind_fails_none_of_it(
    breaking: Breaking, data: bytes
) -> None:
    kind = inspect(data, LIMITS).type
    breaking(f"if kind == {kind.value!r}: os.abort()")
    with Sandbox(LIMITS) as sandbox:
        assert fault(sandbox, data).code == "decoder"
        for each in {png(), jpeg(), gif()} - {data}:
            decode(sandbox, each)
        breaking("if b'deadly' in bytes(data): os.abort()")
        sandbox.close()
        deadly = {"png": DEADLY, "jpg": jpeg_with(segment(0xFE, b"deadly")),
                  "gif": gif(3, 2, gif_frame(), b"!\xfe\x06deadly\0")}  # fmt: skip
        assert refusal(sandbox, deadly[kind]).code == "too-complex"


def test_a_machine_without_the_memory_judges_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldimport.media.sandbox.most_memory", lambda: 300_000_000)
    with Sandbox(LIMITS) as sandbox:
        assert "only 300 MB here (ulimit -v)" in fault(sandbox, png()).message


def test_memory_of_the_machine_that_is_used_up_judges_no_image(breaking: Breaking) -> None:
    """A child may have its memory by its own limit, but the system does not give it."""
    breaking("if b'deadly' in bytes(data): os.kill(os.getpid(), 9)", "mmap.PAGESIZE = -10 ** 12")
    with Sandbox(LIMITS) as sandbox:
        assert "too much memory" in fault(sandbox, DEADLY).message


def test_processes_or_threads_that_cannot_start_are_a_fault_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    def full(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched, Sandbox(LIMITS) as sandbox:
        patched.setattr(subprocess, "Popen", refuse)
        assert "temporarily unavailable" in fault(sandbox, png()).message
    with monkeypatch.context() as patched, Sandbox(LIMITS) as sandbox:
        patched.setattr("threading.Thread.start", full)
        assert "new thread" in fault(sandbox, png()).message
        patched.undo()
        decode(sandbox, png())


def test_a_child_that_cannot_start_is_no_fault_of_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Sandbox(LIMITS) as sandbox:
        assert "status 1" in fault(sandbox, png()).message
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Sandbox(LIMITS) as sandbox, pytest.raises(ConfigError, match="No such file"):
        decode(sandbox, png())


@pytest.mark.parametrize("module", ["PIL", "tinycss2"])
def test_a_library_that_is_missing_is_no_fault_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """Also one that only some images need."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules['{module}'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Sandbox(LIMITS) as sandbox:
        for _ in range(2):
            with pytest.raises(ConfigError, match="cannot be used: .*" + module):
                sandbox.sanitise(svg())
