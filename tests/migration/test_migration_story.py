"""What became of an image, in the order of time."""

from __future__ import annotations

from pathlib import Path

from archives import Time, left_open, manifest, submit
from standin import StandIn, arrived, refused

from ldimport.errors import QuotaError
from ldimport.migration import Migration, StateStore
from ldimport.migration.story import History, Step
from ldimport.model import ImportRequest, JobState, Status


def history(state: StateStore, id_: str = "id2") -> History:
    (found,) = state.history(id_)
    return found


def kinds(steps: tuple[Step, ...]) -> list[str]:
    times = [step.at or 0.0 for step in steps]
    assert times == sorted(times)
    return [step.kind.value for step in steps]


def test_every_step_is_told_in_the_order_of_time(state: StateStore, tmp_path: Path) -> None:
    time, path = Time(), manifest(tmp_path, 3)

    def full(request: ImportRequest) -> None:
        raise QuotaError("quota reached: 99 of 100 images in the last 24 hours", limit=100)

    target = StandIn(before=full)
    submit(state, target, path, time=time)
    refused_once = history(state).steps[-1]
    assert refused_once.kind == "refused" and refused_once.cause == "quota"
    assert refused_once.reason and "99 of 100" in refused_once.reason
    target.before, target.end = (lambda request: None), JobState.LOST
    time.at += 60
    submit(state, target, path, time=time)
    target.end = JobState.SUCCESS
    target.answer = lambda name: refused(name, "origin answered 503")
    time.at += 60
    submit(state, target, path, time=time)
    found = history(state)
    told = kinds(found.steps)
    assert told[:5] == ["recorded", "refused", "recorded", "accepted", "lost"]
    assert told[-3:] == ["recorded", "accepted", "failed"]
    assert [step.certain for step in found.steps[-4:]] == [False, True, True, True]
    assert found.steps[-1].cause == "origin-503"
    assert found.now.original and found.now.original["id"] == "id2"
    target.answer = arrived
    time.at += 60
    list(Migration(state, target, time.clock).retry())
    assert kinds(history(state).steps)[-3:] == ["recorded", "accepted", "success"]


def test_an_intent_and_a_change_that_was_not_taken_over_are_told(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn()
    left_open(state, target, manifest(tmp_path, 3))
    assert kinds(history(state).steps) == ["recorded", "accepted"]
    target.answer = lambda name: arrived(name, Status.SKIPPED)
    submit(state, target, manifest(tmp_path, 3))
    submit(state, target, manifest(tmp_path, 3, caption="new"))
    last = history(state).steps[-1]
    assert (last.kind, last.not_taken_over) == ("skipped", True)
