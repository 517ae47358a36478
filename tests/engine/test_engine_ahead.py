"""Images are fetched and recorded while others are with the decoding child."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import pytest
from invariants import assert_sound
from origins import Open, Origin, image, picture, request, wait_for

from ldimport.engine import Engine
from ldimport.engine.blobs import BlobFolder
from ldimport.engine.store import open_store
from ldimport.engine.worker import run_worker
from ldimport.errors import TemporaryError
from ldimport.media import sandbox
from ldimport.media.child_process import stuck
from ldimport.media.sandbox import Examined, Sandbox
from ldimport.model import Counts


@contextmanager
def silent() -> Iterator[str]:
    """The place of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def working(engine: Engine) -> Iterator[None]:
    """A worker in a thread, until the end."""
    end = threading.Event()

    def work() -> None:
        store = open_store(engine.folder)
        run_worker(store, BlobFolder(engine.folder), end.is_set)
        store.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_all_are_fetched_before_the_first_is_examined(
    open_engine: Open, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, look = open_engine(integrity="full"), Sandbox.ended

    def late(self: Sandbox, seconds: float = 0) -> Mapping[int, Examined]:
        return look(self, seconds) if len(origin.hits) >= 30 else {}

    monkeypatch.setattr(Sandbox, "ended", late)
    urls = [origin.put(f"{n}.jpg", picture()) for n in range(30)]
    job = engine.submit(request(*(image(f"{n}", url) for n, url in enumerate(urls))))
    with working(engine):
        wait_for(lambda: engine.progress(job) == Counts(success=30))
    assert_sound(engine)


def test_what_is_examined_is_recorded_though_an_origin_is_silent(
    open_engine: Open, origin: Origin
) -> None:
    with silent() as place:
        engine = open_engine(integrity="full", allow_hosts=[origin.host, place])
        url = origin.put("a.jpg", picture())
        images = [image("slow", f"http://{place}/a.jpg"), *(image(f"{n}", url) for n in range(5))]
        job = engine.submit(request(*images))
        with working(engine):
            wait_for(lambda: engine.progress(job) == Counts(success=5, pending=1))


def test_a_child_with_enough_to_do_is_waited_for(
    open_engine: Open, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MOST_IMAGES", 2)
    engine, most, begin = open_engine(integrity="full"), 0, Sandbox.begin

    def counted(self: Sandbox, *asked: object) -> int:
        nonlocal most
        most = max(most, len(self._open) + 1)
        return begin(self, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(Sandbox, "begin", counted)
    url = origin.put("a.jpg", picture())
    job = engine.submit(request(*(image(f"{n}", url) for n in range(20))))
    with working(engine):
        wait_for(lambda: engine.progress(job) == Counts(success=20))
    assert most == 2


def test_damage_and_metadata_reach_the_right_image(open_engine: Open, origin: Origin) -> None:
    engine = open_engine(integrity="full")
    sound, broken = picture(), bytearray(picture())
    table = broken.index(b"\xff\xc4") + 5
    broken[table : table + 16] = b"\xff" * 16
    good, bad = origin.put("a.jpg", sound), origin.put("b.jpg", bytes(broken))
    job = engine.submit(request(*(image(f"{n}", bad if n % 3 else good) for n in range(12))))
    engine.run(workers=1)
    failed = {each.external_id for each in engine.status(job).results if each.cause == "corrupt"}
    assert failed == {f"{n}" for n in range(12) if n % 3}
    assert_sound(engine)


def test_a_decoder_that_cannot_work_ends_the_run_and_judges_none(
    open_engine: Open, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Sandbox, seconds: float = 0) -> Mapping[int, Examined]:
        raise stuck("it is a test")

    engine = open_engine(integrity="full")
    job = engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    with monkeypatch.context() as patched, closing(open_store(engine.folder)) as store:
        patched.setattr(Sandbox, "ended", broken)
        with pytest.raises(TemporaryError, match="it is a test"):
            run_worker(store, BlobFolder(engine.folder), until_done=True)
    assert engine.progress(job) == Counts(pending=1)
    engine.run(workers=1)
    assert engine.progress(job) == Counts(success=1)
