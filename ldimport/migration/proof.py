"""What a look at the target's media library proves, as frozen types, and how sure one may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ldimport.model import Json, Status

LEVEL = 0.95
"""How sure a bound is."""

Differences = Mapping[str, tuple[Json, Json]]
"""By field, what is expected and what was found; None: it cannot be told."""


class Proof(StrEnum):
    """What the library has of an image."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the state file says the target has of an image; ``certain``: what was sent last is what
    arrived, else (a later try failed or is under way) only that something is there. ``parts`` as in
    ``batch.parts``; ``size`` as the last look told it. The image last changed at ``changed_at``,
    was last looked up at ``verified_at`` in this ``round`` of verifications, with this ``outcome``
    and its ``differences`` (JSON)."""

    external_id: str
    certain: bool
    status: Status | None
    parts: bytes | None
    file_name: str | None
    title: str | None
    media_id: str | None
    width: int | None
    height: int | None
    mime_type: str | None
    image_service: str | None
    original_url: str | None
    source_url: str
    options: str | None
    changed_at: float | None
    verified_at: float | None
    round: int | None
    outcome: Proof | None
    differences: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the library told of an image; ``ahead`` as ``Target.clock_ahead``."""

    external_id: str
    at: float
    outcome: Proof
    differences: Differences
    media_id: str | None = None
    size: int | None = None
    created_at: str | None = None
    ahead: float | None = None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An image that is not at the target as expected."""

    external_id: str
    system_name: str
    outcome: Proof
    differences: Differences
    media_id: str | None
    source_url: str
    row: int
    manifest: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A verification of an archive, the how many-th, of how many images at random by which seed
    (None: all), with their pictures or not, and whether it has ``ended``."""

    round: int
    sample: int | None
    seed: int
    pictures: bool
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ProofSums:
    """Images by what the library has of them; ``unchecked`` ones have a picture that could not be
    had for now. ``by_hash`` and ``by_size``: how pictures were compared."""

    same: int = 0
    differs: int = 0
    missing: int = 0
    unchecked: int = 0
    by_hash: int = 0
    by_size: int = 0

    @property
    def checked(self) -> int:
        """Images that were looked up to the end."""
        return self.same + self.differs + self.missing


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """So many of those to look up are done; ``resumed`` of them by an earlier run."""

    done: int
    whole: int
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """How a verification ended: of ``images`` that the target should have, ``whole`` were to be
    looked up; ``fields`` counts differences by field, ``first`` are some findings in full;
    ``marked`` missing ones count as not sent from now on. ``findings``: where the store has all of
    them (archive, round, since when). ``stopped``: what ended it early."""

    target: str
    system_names: tuple[str, ...]
    images: int
    whole: int
    sample: int | None
    seed: int | None
    pictures: bool
    sums: ProofSums
    fields: Mapping[str, int]
    first: tuple[Mismatch, ...]
    seconds: float
    resumed: int = 0
    marked: int = 0
    findings: tuple[tuple[int, int, float], ...] = ()
    stopped: BaseException | None = None

    @property
    def partial(self) -> bool:
        """Whether only some were looked up: then there is a bound for the rest."""
        return self.sums.checked < self.images


def upper_bound(hits: int, checked: int) -> float:
    """The largest share of all that may be hit, at the ``LEVEL`` of confidence, when ``hits`` of
    ``checked`` random ones are: the rule of three for none, else Clopper-Pearson's one-sided."""
    if checked == 0 or hits >= checked:
        return 1.0
    if hits == 0:
        return min(1.0, 3 / checked)
    low, high = hits / checked, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(hits, checked, middle) > 1 - LEVEL:
            low = middle
        else:
            high = middle
    return high


def _at_most(hits: int, n: int, share: float) -> float:
    """How likely at most ``hits`` of ``n`` are hit, where this share of all is."""
    if share >= 1:
        return 0.0
    odds, rest = math.log(share), math.log1p(-share)
    whole = math.lgamma(n + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * odds + (n - k) * rest)
        for k in range(hits + 1)
    )
