"""The power goes: at every moment of a recorded run that makes a difference, the disk is brought
back as it would be, and the same command runs on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_archive import Archive
from crash_check import assert_sound
from crash_place import Ended, Place
from crash_replay import KEEPS, Recording
from test_crash_points import shares

pytestmark = [pytest.mark.slow, pytest.mark.crash]
POINTS = {"nothing": 132, "names": 12, "some": 24}
"""Where nothing but what was synced is kept, about every moment that there is."""


@pytest.mark.parametrize(
    ("keeps", "share"), [(keeps, share) for keeps in KEEPS for share in shares(POINTS[keeps])]
)
def test_the_power_goes(
    tmp_path: Path, built: Path, archive: Archive, recorded: Recording, keeps: str, share: float
) -> None:
    moments = recorded.moments
    moment = moments[int(share * len(moments))]
    recorded.restore(moment, keeps, tmp_path / "disk")
    place = Place(tmp_path, built)
    before = Ended(["submit"], -9, recorded.said(moment), "")
    look = place.look()
    last = place.run(place.submit(archive.local))
    assert_sound(place, archive, last, (before, look))
