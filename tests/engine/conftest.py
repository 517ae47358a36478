"""Fixtures of the engine's tests; what they are made of is in ``origins``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from origins import CONFIG, Clock, Handler, Open, Origin, RoomyServer

from ldimport.engine import Engine


@pytest.fixture
def origin() -> Iterator[Origin]:
    handler = type("OfThisOrigin", (Handler,), {})
    server = RoomyServer(("127.0.0.1", 0), handler)
    handler.origin = found = Origin(server)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_engine(tmp_path: Path, origin: Origin) -> Iterator[Open]:
    """Opens engines on one folder (``name``); all are closed at the end."""
    opened: list[Engine] = []

    def make(name: str = "engine", **options: object) -> Engine:
        settings: dict[str, object] = {
            "project_config": CONFIG,
            "allow_hosts": [origin.host],
            "integrity": "fast",
        }
        engine = Engine(tmp_path / name, **{**settings, **options})  # type: ignore[arg-type]
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(open_engine: Open) -> Engine:
    return open_engine()
