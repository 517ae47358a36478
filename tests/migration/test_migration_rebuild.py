"""A state file that was lost, made again from the target's media library."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from archives import Time, manifest, source, submit, summary
from standin import StandIn, arrived

from ldimport.errors import AuthError
from ldimport.migration import Migration, StateStore
from ldimport.migration.rebuild import STORED_AFTER, Rebuilt
from ldimport.migration.store import care
from ldimport.model import Asset, Image


@dataclass
class Shelf(StandIn):
    """A target whose media library holds what was sent; ``changed`` are properties of entries that
    somebody changed there."""

    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    before_look: Callable[[int], None] = lambda n: None

    @property
    def images(self) -> dict[str, Image]:
        return {image.id: image for request in self.requests for image in request.images}

    def find(self, system_name: str, external_id: str) -> Asset | None:
        self.before_look(len(self.looked_up))
        self.looked_up.append(external_id)
        image, asset = self.images.get(external_id), arrived(external_id).asset
        if image is None or system_name != "archive":
            return None
        assert asset is not None
        told = {"title": image.file_name, **image.metadata, **self.changed.get(external_id, {})}
        return replace(asset, metadata=told, media_type="image")


def rebuilt(
    state: StateStore, target: Shelf, path: Path, time: Time | None = None, name: str = "archive"
) -> Rebuilt:
    opened = source(path, name)
    with opened.manifest:
        return list(Migration(state, target, (time or Time()).clock).rebuild(opened))[-1]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A target to which 60 of 62 rows were sent, by somebody whose state file is lost."""
    target = Shelf()
    with StateStore.open(tmp_path / "lost.sqlite", write=True) as lost:
        submit(lost, target, manifest(tmp_path, 60))
    return target


def test_the_next_submit_sends_only_what_is_missing(
    state: StateStore, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.changed["id7"] = {"caption": "somebody wrote this"}
    path = manifest(tmp_path, 62)
    end = rebuilt(state, shelf, path)
    assert (end.same, end.changed, end.absent, end.known) == (59, 1, 2, 0)
    found = state.overview()
    assert found.jobs == () and found.totals.success == 60 == found.totals.rows
    assert state.accepted(shelf.identity, 2_000_000_000.0) == [], "no quota counts it"
    assert care.check(state.path).sound
    assert len([row for row in state.results() if row.media_id and row.attempts == 0]) == 60
    opened = source(path)
    with opened.manifest:
        plan, _ = Migration(state, shelf).plan(opened)
    assert (plan.unchanged, plan.changed, plan.new) == (59, 1, 2)
    before = len(shelf.requests)
    assert summary(submit(state, shelf, path)).exit_code == 0
    sent = [image.id for request in shelf.requests[before:] for image in request.images]
    assert sent == ["id7", "id61", "id62"]
    assert care.check(state.path).sound


def test_it_goes_on_where_it_was_stopped(state: StateStore, shelf: Shelf, tmp_path: Path) -> None:
    def refuse(n: int) -> None:
        if n == 40:
            raise AuthError("The token lacks the scope public-api:read (403)")

    shelf.before_look = refuse
    path = manifest(tmp_path, 60)
    with pytest.raises(AuthError):
        rebuilt(state, shelf, path)
    assert state.overview().totals.success == 40, "all that was found is written down"
    shelf.before_look = lambda n: None
    end = rebuilt(state, shelf, path)
    assert (end.known, end.same) == (40, 20)
    assert len(shelf.looked_up) == len(set(shelf.looked_up)) == 60


def test_killed_in_the_middle_only_the_last_few_are_asked_again(
    shelf: Shelf, tmp_path: Path
) -> None:
    path, place = manifest(tmp_path, 60), tmp_path / "new.sqlite"
    pid = os.fork()
    if not pid:
        shelf.before_look = lambda n: os._exit(9) if n == 40 else None
        with StateStore.open(place, write=True) as opened:
            rebuilt(opened, shelf, path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    with StateStore.open(place, write=True) as opened:
        end = rebuilt(opened, shelf, path)
    assert end.known == STORED_AFTER and end.same == 60 - STORED_AFTER
    assert care.check(place).sound


def test_a_target_over_http_is_asked_at_its_pace(
    state: StateStore, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.requests_per_second = 5.0
    time = Time()
    began = time.at
    rebuilt(state, shelf, manifest(tmp_path, 60), time)
    assert time.at - began == pytest.approx(59 / 5.0, rel=0.05)


def test_what_is_known_is_left_alone(state: StateStore, shelf: Shelf, tmp_path: Path) -> None:
    before = manifest(tmp_path, 5, "new.csv", caption="mine")
    submit(state, shelf, before)
    rows = list(state.results())
    end = rebuilt(state, shelf, manifest(tmp_path, 60))
    assert end.known == 5 and list(state.results())[:5] == rows


def test_of_another_archive_nothing_is_found(
    state: StateStore, shelf: Shelf, tmp_path: Path
) -> None:
    end = rebuilt(state, shelf, manifest(tmp_path, 5), name="other")
    assert (end.absent, end.asked) == (5, 5) and state.archives() == ()
