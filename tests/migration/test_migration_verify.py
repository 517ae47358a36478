"""Looking images up at the target: what is compared, chosen at random, resumed, marked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from archives import Time, manifest, submit, summary
from standin import StandIn, arrived, refused

from ldimport.causes import Cause
from ldimport.errors import AuthError, Rejected, TemporaryError
from ldimport.migration import Migration, StateStore
from ldimport.migration.pictures import PictureLook, Pictures
from ldimport.migration.proof import Expected, Verified, upper_bound
from ldimport.migration.verify import VerifyOptions
from ldimport.model import Asset, Status
from ldimport.schema import config


@dataclass
class Library(StandIn):
    """A target whose media library holds what was sent; ``holds`` are changes, None: missing."""

    holds: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    before_look: Callable[[str], None] = lambda name: None

    def find(self, system_name: str, external_id: str) -> Asset | None:
        self.before_look(external_id)
        self.looked_up.append(external_id)
        changes = self.holds.get(external_id, {})
        sent = {image.id: image for request in self.requests for image in request.images}
        if changes is None or external_id not in sent:
            return None
        image, asset = sent[external_id], arrived(external_id).asset
        assert asset is not None
        told = {"metadata": {"title": image.file_name, **image.metadata}, "size": 5,
                "media_type": "image", **changes}  # fmt: skip
        return replace(asset, **told)


def verified(
    state: StateStore, target: Library, time: Time | None = None, **options: Any
) -> Verified:
    migration = Migration(state, target, (time or Time()).clock)
    end = list(migration.verify(["archive"], VerifyOptions(**options), config.default()))[-1]
    assert isinstance(end, Verified)
    return end


def test_all_that_arrived_is_looked_up(state: StateStore, tmp_path: Path) -> None:
    library = Library(answer=lambda name: refused(name) if name == "id2" else arrived(name))
    submit(state, library, manifest(tmp_path, 4))
    end = verified(state, library)
    assert (end.images, end.sums.same, end.partial) == (3, 3, False)
    assert library.looked_up == ["id1", "id3", "id4"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"width": 11}, {"width": (10, 11)}),
        ({"width": 20, "height": 10}, {}),
        ({"mime_type": "image/gif"}, {"mimeType": ("image/png", "image/gif")}),
        ({"mime_type": "IMAGE/PNG"}, {}),
        ({"media_id": "other"}, {"mediaId": ("m-id1", "other")}),
        ({"media_type": "logo"}, {"mediaType": (None, "logo")}),
        ({"metadata": {"title": "Image 1"}}, {"metadata.caption": (None, None)}),
        ({"metadata": {"title": "Image 1", "caption": "x"}}, {"metadata.caption": (None, "x")}),
        (
            {"metadata": {"title": "Other", "caption": "c"}},
            {"metadata.title": ("Image 1", "Other")},
        ),
        ({"metadata": {"title": "Image 1", "caption": "c", "credit": "of the file"}}, {}),
    ],
)
def test_what_differs_is_named(
    state: StateStore, tmp_path: Path, changes: dict[str, Any], named: dict[str, Any]
) -> None:
    library = Library(holds={"id1": changes})
    submit(state, library, manifest(tmp_path, 2))
    end = verified(state, library)
    assert end.sums.differs == bool(named)
    assert end.fields == dict.fromkeys(named, 1)
    assert [each.differences for each in end.first] == ([named] if named else [])


def test_a_size_that_changes_is_told_until_it_is_as_before(
    state: StateStore, tmp_path: Path
) -> None:
    library, time = Library(), Time()
    submit(state, library, manifest(tmp_path, 1), time=time)
    assert verified(state, library, time).sums.same == 1
    library.holds["id1"] = {"size": 6}
    for _ in range(2):
        assert verified(state, library, time).first[0].differences == {"size": (5, 6)}
    library.holds.clear()
    assert verified(state, library, time).sums.same == 1


def test_an_image_whose_change_failed_is_only_looked_for(state: StateStore, tmp_path: Path) -> None:
    library = Library()
    submit(state, library, manifest(tmp_path, 1))
    library.answer = refused
    submit(state, library, manifest(tmp_path, 1, caption="new"))
    library.holds["id1"] = {"metadata": {"caption": "c"}}
    assert verified(state, library).sums.same == 1
    library.holds["id1"] = None
    assert verified(state, library).sums.missing == 1


def test_an_interrupted_verification_goes_on(state: StateStore, tmp_path: Path) -> None:
    library, time = Library(holds={"id3": None}), Time()
    submit(state, library, manifest(tmp_path, 9), time=time)

    def stop(name: str) -> None:
        if name == "id5":
            raise KeyboardInterrupt

    library.before_look = stop
    end = verified(state, library, time)
    assert isinstance(end.stopped, KeyboardInterrupt) and end.sums.checked == 4
    library.before_look, library.looked_up = lambda name: None, []
    time.at += 10
    end = verified(state, library, time)
    assert library.looked_up == ["id5", "id6", "id7", "id8", "id9"]
    assert (end.sums.same, end.sums.missing, end.resumed) == (8, 1, 4)
    assert [each.external_id for each in end.first] == ["id3"]
    library.looked_up = []
    time.at += 10
    assert verified(state, library, time).resumed == 0
    assert len(library.looked_up) == 9


def test_restart_begins_anew_and_what_was_sent_since_is_asked_again(
    state: StateStore, tmp_path: Path
) -> None:
    library, time = Library(), Time()
    path = manifest(tmp_path, 4)
    submit(state, library, path, time=time)
    failing = TemporaryError("away")

    def fail(name: str) -> None:
        if name == "id4":
            raise failing

    library.before_look = fail
    assert verified(state, library, time).stopped is failing
    path.write_text(path.read_text().replace("Image 2", "Second"))
    time.at += 10
    submit(state, library, path, time=time)
    library.before_look, library.looked_up = lambda name: None, []
    verified(state, library, time)
    assert library.looked_up == ["id2", "id4"]
    library.before_look = fail
    verified(state, library, time)
    library.before_look, library.looked_up = lambda name: None, []
    verified(state, library, time, restart=True)
    assert len(library.looked_up) == 4


def test_a_sample_is_random_repeatable_and_spread(state: StateStore, tmp_path: Path) -> None:
    library = Library()
    submit(state, library, manifest(tmp_path, 300))
    picks = []
    for seed in (1, 1, 2):
        library.looked_up = []
        end = verified(state, library, sample=60, seed=seed)
        assert (end.whole, end.sums.same, end.partial) == (60, 60, True)
        picks.append(list(library.looked_up))
    assert picks[0] == picks[1] != picks[2]
    assert all(len(set(each)) == 60 for each in picks)
    numbers = sorted(int(each.removeprefix("id")) for each in picks[0])
    assert numbers[0] < 50 and numbers[-1] > 250
    assert verified(state, library, sample=500).whole == 300


def test_requests_keep_to_the_rate(state: StateStore, tmp_path: Path) -> None:
    library, time = Library(requests_per_second=5), Time()
    submit(state, library, manifest(tmp_path, 11), time=time)
    time.waits, began = [], time.at
    verified(state, library, time)
    assert time.at - began == pytest.approx(10 / 5, abs=0.1)
    time.waits = []
    verified(state, library, time, rate=0.0)
    assert time.waits == []


def test_what_is_still_missing_counts_as_not_sent(state: StateStore, tmp_path: Path) -> None:
    library, time = Library(holds={"id1": None, "id2": None}), Time()
    path = manifest(tmp_path, 3)
    submit(state, library, path, time=time)
    assert verified(state, library, time).sums.missing == 2
    assert summary(submit(state, library, path, time=time)).jobs == ()
    del library.holds["id1"]  # its index was late
    library.looked_up = []
    end = verified(state, library, time, mark_missing=True)
    assert library.looked_up == ["id1", "id2"]
    assert (end.sums.same, end.sums.missing, end.marked) == (1, 1, 1)
    (sums,) = state.archives()
    assert (sums.totals.success, sums.totals.unsubmitted) == (2, 1)
    library.holds.clear()
    submit(state, library, path, time=time)
    assert [image.id for image in library.requests[-1].images] == ["id2"]
    assert verified(state, library, time).sums.same == 3


def test_not_taken_over_differs(state: StateStore, tmp_path: Path) -> None:
    library = Library()
    submit(state, library, manifest(tmp_path, 1))
    library.answer = lambda name: arrived(name, Status.SKIPPED)
    submit(state, library, manifest(tmp_path, 1, caption="new"))
    library.holds["id1"] = {"metadata": {"title": "Image 1", "caption": "c"}}
    assert verified(state, library).first[0].differences == {"metadata.caption": (None, "c")}


def test_a_library_that_may_not_be_read_ends_it(state: StateStore, tmp_path: Path) -> None:
    library = Library()
    submit(state, library, manifest(tmp_path, 1))

    def refuse(name: str) -> None:
        raise AuthError("The token lacks the scope public-api:read (403)")

    library.before_look = refuse
    assert isinstance(verified(state, library).stopped, AuthError)


def test_bounds() -> None:
    assert upper_bound(0, 3_000) == pytest.approx(0.001)
    assert upper_bound(0, 2) == 1.0
    # NIST/SEMATECH, and R: binom.test(1, 100, alternative = "less")$conf.int
    assert upper_bound(1, 100) == pytest.approx(0.04655981, rel=1e-5)
    assert upper_bound(10, 100) == pytest.approx(0.1637186, rel=1e-4)
    assert upper_bound(5, 5) == 1.0
    assert math.isclose(upper_bound(300, 3_000), 0.1094, rel_tol=1e-2)


def test_a_picture_that_is_away_for_now_is_asked_again(
    state: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, time, away = Library(), Time(), {"id2"}
    submit(state, library, manifest(tmp_path, 3), time=time)

    def compare(_: object, expected: Expected, found: Asset) -> PictureLook:
        if expected.external_id in away:
            raise Rejected(Cause.UNREACHABLE)
        return PictureLook(True)

    monkeypatch.setattr(Pictures, "compare", compare)
    end = verified(state, library, time, pictures=True)
    assert (end.sums.same, end.sums.unchecked, end.sums.by_hash) == (2, 1, 2)
    away.clear()
    library.looked_up = []
    end = verified(state, library, time, pictures=True)
    assert (end.sums.same, end.resumed, library.looked_up) == (3, 2, ["id2"])
