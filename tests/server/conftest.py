"""Fixtures of the server's tests; what they are made of is in ``served``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Api, Origin, Receiver, a_receiver, an_origin, served


@pytest.fixture
def origin() -> Iterator[Origin]:
    with an_origin() as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def api(tmp_path: Path, origin: Origin) -> Iterator[Api]:
    """A served engine with one worker that may fetch from ``origin``."""
    with served(tmp_path / "engine", allow=(origin.host,)) as found:
        yield found


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A served engine without workers, shared by the tests of a module."""
    with served(tmp_path_factory.mktemp("quiet"), workers=0) as found:
        yield found
