"""A scripted server and a client for it, whose waits take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from scripted_server import FakeTime, ScriptedServer, running

from ldimport.client import LivingdocsClient

TOKEN = "li-token-Zx81-never-shown"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with running() as each:
        yield each


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def make_client(server: ScriptedServer, time: FakeTime) -> Iterator[Callable[..., Any]]:
    """``make_client(path="", **options)``: a client for the scripted server."""
    with ExitStack() as stack:

        def make(path: str = "", token: Any = TOKEN, **options: Any) -> LivingdocsClient:
            options = {"sleep": time.sleep, "clock": time.clock, "timeout": 60, **options}
            address = options.pop("address", server.url + path)
            return stack.enter_context(LivingdocsClient(address, token, **options))

        yield make


@pytest.fixture
def client(make_client: Callable[..., Any]) -> LivingdocsClient:
    return make_client()
