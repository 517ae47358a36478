"""Why images failed: as the target says; guessed only where it says nothing but a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import manifest, submit, summary
from standin import StandIn, refused

from ldimport.causes import Cause, known_cause
from ldimport.migration import StateStore
from ldimport.migration.causes import causes_of, guess
from ldimport.migration.events import Event
from ldimport.migration.model import Failure, Filter
from ldimport.model import Result, Status


def told(id_: str, reason: str, cause: str | None = None, retryable: bool | None = None) -> Result:
    return Result(id_, Status.FAILED, id_, reason, cause=cause, retryable=retryable)


@pytest.mark.parametrize(
    ("reason", "code", "retryable"),
    [
        ("origin answered 503", "origin-503", True),
        ("origin answered 404", "origin-404", False),
        ("7,000 x 5,000 is 35,000,000 pixels, the limit is 24,000,000", "too-many-pixels", False),
        ("the picture has fewer rows of pixels than it says", "other", False),
        ("Could not upload image", "could-not-upload-image", True),
        ("the file is cut off after 1.2 MB", "truncated", False),
        ("Request timed out", "timeout", True),
        ("connect ECONNREFUSED: connection refused", "unreachable", True),
        ("WebP images are not accepted", "webp-not-accepted", False),
        ("WebP is not accepted: png, jpg, gif, svg", "webp-not-accepted", False),
        ("the token is not accepted", "other", False),
        ("token images are not accepted", "other", False),
        ("origin redirects on and on (after 5 redirects)", "too-many-redirects", False),
        ("origin sent the file encoded, although asked not to", "encoded-body", False),
        ("Es ging schief", "other", False),
        ("", "no-reason", True),
        (" \n", "no-reason", True),
        (None, "no-reason", True),
    ],
)
def test_a_foreign_sentence_is_recognised_or_is_other(
    reason: str | None, code: str, retryable: bool
) -> None:
    found = guess(reason)
    assert (found.code, found.retryable) == (code, retryable)
    assert known_cause(found.code) is not None


def test_what_the_target_says_is_not_guessed_over(state: StateStore, tmp_path: Path) -> None:
    sentence = "the PNG has fewer rows than its header says: too many pixels for its limit"
    target = StandIn(answer=lambda id_: told(id_, sentence, "corrupt", retryable=False))
    events = submit(state, target, manifest(tmp_path, 1))
    failure = next(event for event in events if isinstance(event, Failure))
    assert (failure.cause, failure.reason) == ("corrupt", sentence)
    assert [row.cause for row in state.results()] == ["corrupt"]
    assert [row.cause for row in state.causes()] == ["corrupt"]


@pytest.mark.parametrize(
    ("cause", "said", "kept"),
    [
        ("transfer", None, True),  # ours, by its own word
        ("transfer", False, False),  # the target knows better
        ("moon-phase", True, True),  # of a newer version than ours
        ("moon-phase", None, False),
    ],
)
def test_whether_to_try_again_is_kept(
    state: StateStore, tmp_path: Path, cause: str, said: bool | None, kept: bool
) -> None:
    target = StandIn(answer=lambda id_: told(id_, "a sentence", cause, said))
    end = summary(submit(state, target, manifest(tmp_path, 1)))
    (row,) = end.causes
    assert (row.cause, row.retryable) == (cause, kept)
    assert [each.retryable for each in state.results()] == [kept]
    assert [each.retryable for each in state.job_status("job1").results] == [kept]


def reasons(state: StateStore, tmp_path: Path, *sentences: str) -> list[Event]:
    answers = {f"id{n}": refused(f"id{n}", each) for n, each in enumerate(sentences, 1)}
    target = StandIn(answer=lambda id_: answers[id_])
    return submit(state, target, manifest(tmp_path, len(sentences)))


def test_failures_group_by_cause_and_show_what_it_means(state: StateStore, tmp_path: Path) -> None:
    cut_off = [f"cut off after {n} MB" for n in (1, 2, 3)]
    reasons(state, tmp_path, *cut_off, "not an image")
    first, second = state.causes()
    assert (first.cause, first.reason, first.images) == ("truncated", Cause.TRUNCATED.meaning, 3)
    assert first.examples == (("id1", 1), ("id2", 2))
    assert (second.cause, second.images) == ("not-an-image", 1)


def test_unknown_causes_group_by_their_sentence(state: StateStore, tmp_path: Path) -> None:
    events = reasons(state, tmp_path, "Nein", "Doch", "Nein", "Oh")
    found = [(row.cause, row.reason, row.images) for row in state.causes()]
    assert found == [("other", "Nein", 2), ("other", "Doch", 1), ("other", "Oh", 1)]
    groups = [event.group for event in events if isinstance(event, Failure)]
    assert groups == ["Nein", "Doch", "Nein", "Oh"]
    assert len(list(state.results(Filter(cause="other")))) == 4


def test_sentences_group_without_their_names_and_numbers(state: StateStore, tmp_path: Path) -> None:
    events = reasons(state, tmp_path, "Asset 17 is gone", "Asset 4 is gone", "No room")
    found = [(row.cause, row.reason, row.images) for row in state.causes()]
    assert found == [("other", "Asset … is gone", 2), ("other", "No room", 1)]
    assert summary(events).causes == state.causes()


def test_a_group_names_its_parameters_and_the_host_that_all_share(
    state: StateStore, tmp_path: Path
) -> None:
    target = StandIn(answer=lambda id_: told(id_, f"about {id_}", "origin-503", True))
    (row,) = summary(submit(state, target, manifest(tmp_path, 2))).causes
    assert row.reason == "the image server answered 503 instead of sending the image"
    assert row.parameters == {"status": 503, "host": "img.example"}
    assert row.text == f"{row.reason} (img.example)"


def test_images_with_a_note_are_found_by_its_code_too(state: StateStore, tmp_path: Path) -> None:
    def answer(id_: str) -> Result:
        if id_ == "id1":
            return Result(id_, Status.SUCCESS, id_, "a note", cause="stray-bytes")
        return told(id_, "cut off", "truncated", retryable=False)

    submit(state, StandIn(answer=answer), manifest(tmp_path, 2))
    assert [row.external_id for row in state.results(Filter(cause="stray-bytes"))] == ["id1"]
    assert [row.external_id for row in state.results(Filter(cause="truncated"))] == ["id2"]
    assert [row.cause for row in state.causes()] == ["truncated"]


def test_a_cause_that_nobody_knows_is_told_as_one(state: StateStore, tmp_path: Path) -> None:
    target = StandIn(answer=lambda id_: told(id_, f"the moon over {id_}", "moon-phase"))
    (row,) = summary(submit(state, target, manifest(tmp_path, 2))).causes
    assert (row.cause, row.reason) == ("moon-phase", "moon-phase: a cause of the target's own")


def test_results_of_one_job_group_alike() -> None:
    found = causes_of(
        [
            told("a", "Nein"),
            told("b", "cut off"),
            told("c", "whatever", "truncated", retryable=False),
            Result("d", Status.SUCCESS),
            told("e", "cut off after 2 MB"),
        ]
    )
    assert [(row.cause, row.reason, row.images, row.examples) for row in found] == [
        ("truncated", Cause.TRUNCATED.meaning, 3, (("b", 0), ("c", 0))),
        ("other", "Nein", 1, (("a", 0),)),
    ]
