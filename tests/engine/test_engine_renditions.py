"""Stored images in other sizes: made once, kept within a limit, by threads and processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from origins import Open, Origin, image, picture, request
from PIL import Image as Picture

from ldimport.engine import Engine, maintenance
from ldimport.engine.records import StoredRendition
from ldimport.engine.renditions import FOLDER, RenditionFolder
from ldimport.errors import Rejected, TemporaryError
from ldimport.media import child_process, sandbox
from ldimport.media.rendition import Fitting, Rendition, RenditionFormat

SMALL = Rendition(20)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0"/></svg>'


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Rendition]:
    """Every form that a child was asked for since."""
    forms: list[Rendition] = []
    render = sandbox.Sandbox.render

    def counted(self: sandbox.Sandbox, data: bytes, facts: object, form: Rendition) -> bytes | None:
        forms.append(form)
        return render(self, data, facts, form)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox.Sandbox, "render", counted)
    return forms


def stored(engine: Engine, origin: Origin, data: bytes, name: str = "a") -> str:
    """The key of an original with these bytes."""
    engine.submit(request(image(name, origin.put(name, data))))
    engine.run()
    entry = engine.find("archive", name)
    assert entry is not None
    return entry.asset.key


def bytes_of(found: StoredRendition | None) -> bytes:
    assert found is not None
    with found.open() as file:
        data = file.read()
    assert len(data) == found.size
    return data


def kept(engine: Engine) -> list[Path]:
    folder = engine.folder / FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []


def blob(engine: Engine, key: str) -> Path:
    found = engine.original(key)
    assert found is not None
    return engine.folder / "blobs" / found.sha256[:2] / found.sha256


def test_it_is_drawn_once_and_kept(engine: Engine, origin: Origin, drawn: list[Rendition]) -> None:
    key = stored(engine, origin, picture())
    first = engine.rendition(key, SMALL)
    again = engine.rendition(key, SMALL)
    assert first == again and first is not None and first.mime_type == "image/jpeg"
    assert bytes_of(first) == bytes_of(again)
    assert Picture.open(BytesIO(bytes_of(again))).size == (20, 15)
    assert drawn == [SMALL]
    assert [each.name for each in kept(engine)] == [first.etag]
    assert kept(engine)[0].stat().st_mode & 0o777 == 0o600
    webp = engine.rendition(key, Rendition(20, 20, Fitting.COVER, RenditionFormat.WEBP))
    assert webp is not None and webp.mime_type == "image/webp" and webp.etag != first.etag
    assert len(kept(engine)) == 2


def test_what_the_original_stands_for(engine: Engine, origin: Origin) -> None:
    stream = BytesIO()
    frames = [Picture.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    moving = stored(engine, origin, stream.getvalue(), "moving")
    vector, photo = stored(engine, origin, SVG, "v"), stored(engine, origin, picture(), "p")
    for key, form in (
        (photo, Rendition()),
        (photo, Rendition(fit=Fitting.COVER)),
        (vector, Rendition(5)),
        (vector, Rendition(5, format=RenditionFormat.PNG)),
        (moving, Rendition(format=RenditionFormat.WEBP)),
        (moving, Rendition(format=RenditionFormat.WEBP)),
    ):
        found, original = engine.rendition(key, form), engine.original(key)
        assert found is not None and original is not None
        assert (found.mime_type, found.etag) == (original.mime_type, original.etag)
        with original.open() as file:
            assert bytes_of(found) == file.read()
    assert kept(engine) == []
    sized = engine.rendition(moving, Rendition(5, format=RenditionFormat.WEBP))
    assert sized is not None and sized.mime_type == "image/webp"


def test_an_unknown_key_is_none(engine: Engine) -> None:
    unknown = "2026/01/01/00000000-0000-0000-0000-000000000000.jpeg"
    for key in ("", "x", "../catalogue", unknown):
        assert engine.rendition(key, SMALL) is None


def test_a_damaged_original_is_refused_and_not_tried_again(
    engine: Engine, origin: Origin, drawn: list[Rendition]
) -> None:
    key = stored(engine, origin, picture(size=(400, 300)))
    path = blob(engine, key)
    path.write_bytes(path.read_bytes()[:-200])
    for _ in range(3):
        with pytest.raises(Rejected) as caught:
            engine.rendition(key, SMALL)
        assert caught.value.code == "truncated"
    assert len(drawn) == 1 and kept(engine) == []
    path.unlink()
    with pytest.raises(FileNotFoundError):
        engine.rendition(key, Rendition(21))


def test_a_decoder_that_cannot_work_judges_nothing(
    engine: Engine, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = stored(engine, origin, picture())
    with monkeypatch.context() as patched:
        patched.setattr(child_process.sys, "executable", "/bin/false")
        with pytest.raises(TemporaryError):
            engine.rendition(key, SMALL)
    assert bytes_of(engine.rendition(key, SMALL))


# -- what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["cut", "changed", "emptied", "longer"])
def test_a_damaged_file_is_made_anew(
    engine: Engine, origin: Origin, drawn: list[Rendition], harm: str
) -> None:
    key = stored(engine, origin, picture())
    whole = bytes_of(engine.rendition(key, SMALL))
    (path,) = kept(engine)
    data = path.read_bytes()
    harmed = {"cut": data[:-1], "changed": data[:-1] + bytes([data[-1] ^ 1]), "emptied": b"",
              "longer": data + b"x"}  # fmt: skip
    path.write_bytes(harmed[harm])
    assert bytes_of(engine.rendition(key, SMALL)) == whole
    assert len(drawn) == 2
    assert path.read_bytes() == data


def test_one_that_goes_before_it_is_opened_is_made_anew(engine: Engine, origin: Origin) -> None:
    key = stored(engine, origin, picture())
    whole = bytes_of(engine.rendition(key, SMALL))
    found = engine.rendition(key, SMALL)
    shutil.rmtree(engine.folder / FOLDER)
    assert bytes_of(found) == whole


def test_nothing_is_kept_where_that_is_not_wanted(
    open_engine: Open, origin: Origin, drawn: list[Rendition]
) -> None:
    engine = open_engine(rendition_bytes=0)
    key = stored(engine, origin, picture())
    assert bytes_of(engine.rendition(key, SMALL)) == bytes_of(engine.rendition(key, SMALL))
    assert len(drawn) == 2 and not (engine.folder / FOLDER).exists()


@pytest.mark.parametrize("way", ["a file is there", "replace", "mkstemp"])
def test_a_folder_that_cannot_be_written_keeps_nothing(
    engine: Engine, origin: Origin, drawn: list[Rendition], monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:  # fmt: skip
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    key = stored(engine, origin, picture())
    if way == "a file is there":
        (engine.folder / FOLDER).write_text("not a folder")
    elif way == "replace":
        monkeypatch.setattr(Path, "replace", refuse)
    else:
        monkeypatch.setattr("tempfile.mkstemp", refuse)
    for _ in range(2):
        assert Picture.open(BytesIO(bytes_of(engine.rendition(key, SMALL)))).size == (20, 15)
    assert len(drawn) == 2
    if way != "a file is there":
        assert kept(engine) == [], "nothing half-written stays"


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    folder = RenditionFolder(tmp_path / "r", 10_000)
    for n in range(9):
        folder.put(f"{n}", bytes(960))
        os.utime(tmp_path / "r" / f"{n}", (n, n))
    assert folder.size("0") == 960, "used now, so it stays"
    folder.put("new", bytes(960))
    folder.put("newer", bytes(960))
    left = {each.name for each in (tmp_path / "r").iterdir()}
    assert left == {"0", "3", "4", "5", "6", "7", "8", "new", "newer"}
    assert sum(each.stat().st_size for each in (tmp_path / "r").iterdir()) <= 10_000
    folder.put("large", bytes(10_000))
    assert folder.size("large") is None and folder.size("0") == 960


def test_a_lower_limit_holds_at_once(tmp_path: Path) -> None:
    large = RenditionFolder(tmp_path / "r", 100_000)
    for n in range(50):
        large.put(f"{n}", bytes(1_000))
    RenditionFolder(tmp_path / "r", 5_000).put("x", bytes(1_000))
    assert sum(each.stat().st_size for each in (tmp_path / "r").iterdir()) <= 5_000


def test_threads_and_folders_of_their_own_stay_within_the_limit_and_whole(tmp_path: Path) -> None:
    """As several processes that share the folder; each knows only what it has written itself."""
    most, wrong = 60_000, list[str]()
    folders = [RenditionFolder(tmp_path / "r", most) for _ in range(3)]

    def work(seed: int) -> None:
        chance, folder = Random(seed), folders[seed % 3]
        for _ in range(150):
            name = str(chance.randrange(100))
            size = folder.size(name)
            if size is None:
                folder.put(name, name.encode() * 500)
                continue
            try:
                with folder.open(name) as file:
                    found = file.read()
            except FileNotFoundError:
                continue
            if found != name.encode() * 500 or len(found) != size:
                wrong.append(name)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert wrong == []
    total = sum(each.stat().st_size for each in (tmp_path / "r").iterdir())
    assert 0 < total <= most * (1 + 3 / 16) + 3 * 1_100


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    folder = RenditionFolder(tmp_path / "r", 5_000)
    folder.put("a", bytes(1_000))
    (tmp_path / "r" / ".dead.tmp").write_bytes(b"x" * 3_000)
    for n in range(9):
        folder.put(f"{n}", bytes(1_000))
    assert not (tmp_path / "r" / ".dead.tmp").exists()


def test_threads_that_want_the_same_draw_it_once(
    engine: Engine, origin: Origin, drawn: list[Rendition], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ldimport.engine.renditions.CHILDREN", 1)
    key = stored(engine, origin, picture(size=(900, 700)))
    forms = [Rendition(20), Rendition(30)] * 6
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda form: bytes_of(engine.rendition(key, form)), forms))
    assert len(set(found)) == 2 and sorted(drawn, key=lambda form: form.name) == [
        Rendition(20), Rendition(30)]  # fmt: skip


SHARING = """
import sys
from ldimport.engine import Engine
from ldimport.media.rendition import Rendition
with Engine(sys.argv[1], rendition_bytes=20_000) as engine:
    for turn in range(3):
        for width in range(5, 40):
            with engine.rendition(sys.argv[2], Rendition(width)).open() as file:
                assert file.read()[:2] == b"\\xff\\xd8"
"""


def test_processes_share_the_folder(engine: Engine, origin: Origin) -> None:
    key = stored(engine, origin, picture())
    command = [sys.executable, "-c", SHARING, str(engine.folder), key]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(each.communicate()[1], each.returncode) for each in started] == [(b"", 0)] * 2
    total = sum(each.stat().st_size for each in kept(engine))
    assert 0 < total <= 20_000 * (1 + 2 / 16) + 2_000


# -- the folder of the engine ----------------------------------------------------------------------


def test_a_check_leaves_them_and_a_reset_removes_them(open_engine: Open, origin: Origin) -> None:
    engine = open_engine()
    key = stored(engine, origin, picture())
    bytes_of(engine.rendition(key, SMALL))
    before = kept(engine)
    engine.close()
    health = maintenance.check(engine.folder)
    assert health.sound and health.removed == () and kept(engine) == before != []
    open_engine()
    assert kept(engine) == before
    maintenance.reset(engine.folder)
    assert not (engine.folder / FOLDER).exists()


def test_closing_ends_the_children(open_engine: Open, origin: Origin) -> None:
    engine = open_engine("other")
    key = stored(engine, origin, picture())
    bytes_of(engine.rendition(key, SMALL))
    children = [each._child for each in engine.renditions._sandboxes.queue if each._child]
    assert len(children) == 1
    engine.close()
    engine.close()
    assert children[0]._process.returncode is not None


def test_a_thread_that_ends_takes_no_child_of_others_with_it(
    engine: Engine, origin: Origin
) -> None:
    """On Linux a child goes with the thread that has started it; the next image has another."""
    key = stored(engine, origin, picture())
    for width in (11, 12, 13):
        found: list[bytes] = []
        thread = threading.Thread(target=_into(found, engine, key, Rendition(width)))
        thread.start()
        thread.join()
        assert found, width
        time.sleep(0.05)
    assert bytes_of(engine.rendition(key, SMALL))


def _into(found: list[bytes], engine: Engine, key: str, form: Rendition) -> Callable[[], None]:
    return lambda: found.append(bytes_of(engine.rendition(key, form)))
