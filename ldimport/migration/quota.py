"""The quota of a target: what it accepted in the last 24 hours, what fits now, when more will.

A target counts uploads in a rolling window and refuses a batch that would cross its limit as a
whole (seed, 429). Nothing tells its numbers but such a refusal; between two of them our own ledger
of accepted batches stands in. Times are Unix seconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ldimport.errors import ConfigError, QuotaError

DAY = 86_400.0
LAG = 3_600.0
"""Seconds by which a target may count an image later than its acceptance, as it was made later."""
SHORTEST_LAG = 30.0
ASK_AGAIN = 3_600.0
"""Seconds after which a run that waits asks for room that others have used up: when their images
leave the window nobody tells, and a refusal costs nothing."""
SOON = 600.0
"""Seconds of waiting for room that are no reason to end a run."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """So many ``images``: accepted ``at`` that time, or leaving the window then."""

    at: float
    images: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch of ``whole`` images, accepted ``at`` that time. Of its job, once it has ``ended``,
    those count that arrived: ``images``; until then all of them."""

    at: float
    images: int
    whole: int = 0
    ended: float | None = 0.0

    def counted(self, at: float) -> int:
        """Images that the target counted then."""
        return self.images if self.ended is not None and self.ended <= at else self.whole


@dataclass(frozen=True, slots=True)
class QuotaSeen:
    """What a target said when it refused a batch for its quota: ``allowed`` in 24 hours, ``used``
    by then; None where it did not say."""

    allowed: int | None
    used: int | None
    at: float


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """What the user says: the limit of the target, where it is known before a refusal; how many
    images of it are left for others; whether a run waits for room however long that takes."""

    daily_limit: int | None = None
    reserve: int = 0
    wait: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """Sending whenever there is room: the last image is sent at ``finish_at``, in so many days."""

    days: int
    finish_at: float


@dataclass(frozen=True, slots=True)
class Quota:
    """A target's quota ``at`` a moment. ``allowed`` None: not known yet. ``leaving`` is what is in
    the window, by the time at which it leaves it, the soonest first; of these ``others`` were not
    sent from here, and leave at that time at the latest."""

    at: float
    allowed: int | None = None
    reserve: int = 0
    leaving: tuple[Uploads, ...] = ()
    others: int = 0

    @property
    def used(self) -> int:
        """Images in the window, as far as known."""
        return sum(each.images for each in self.leaving)

    @property
    def ours(self) -> int | None:
        """How many images in 24 hours we may send."""
        return None if self.allowed is None else max(0, self.allowed - self.reserve)

    @property
    def room(self) -> int | None:
        """Images that fit now; None: not known."""
        return None if self.ours is None else max(0, self.ours - self.used)

    def opens(self) -> Iterator[Uploads]:
        """When so many more fit, the soonest first, from now on until the window is empty."""
        if self.ours is None:
            return
        free = self.ours - self.used
        if free > 0:
            yield Uploads(self.at, free)
        for each in self.leaving:
            free, before = free + each.images, max(0, free)
            if free > before:
                yield Uploads(each.at, free - before)

    def next_room(self) -> Uploads | None:
        """From when on how many more fit, together with those for which a run that begins then
        would wait; None: not known, or never."""
        first: Uploads | None = None
        for each in self.opens():
            if first is None:
                first = each
            elif each.at <= first.at + SOON:
                first = replace(first, images=first.images + each.images)
        return first

    def forecast(self, images: int) -> Forecast | None:
        """When so many images are sent; None where nobody can say."""
        if not self.ours:
            return None
        if images <= 0:
            return Forecast(0, self.at)
        cycles, rest = divmod(images - 1, self.ours)  # after a day the window is ours alone
        opens = list(self.opens())
        sums = accumulate(each.images for each in opens)
        last = next(each.at for each, sent in zip(opens, sums, strict=True) if sent > rest)
        return Forecast(cycles + 1, last + cycles * DAY)

    def check_reserve(self) -> None:
        """Raises ConfigError where the reserve leaves nothing of the limit, now and for ever."""
        if self.allowed and not self.ours:
            text = f"a reserve of {self.reserve:,} leaves nothing of {self.allowed:,} images a day"
            raise ConfigError(text, hint="make it smaller: --reserve N", code="reserve-too-large")

    def refusal(self) -> QuotaError:
        """That nothing more fits for now, with the time from which on something will."""
        if not self.allowed:
            unknown = "the target's quota is reached"
            text = unknown if self.allowed is None else "the target's plan allows no images at all"
        else:
            text = f"quota reached: {self.used:,} of {self.allowed:,} images in the last 24 hours"
            if self.reserve:
                text += f", {self.reserve:,} are left for others"
        room = self.next_room()
        error = QuotaError(text, limit=self.allowed, used=self.used)
        if room is not None:
            error.resume_at, error.fits = room.at, room.images
            error.at_the_latest = self.others > 0
        return error


def quota_at(
    now: float, accepted: Iterable[Accepted], refusal: QuotaSeen | None, rules: QuotaRules
) -> Quota:
    """The quota now, from what was accepted in the last two days and an hour, and the last refusal.

    The numbers of a refusal are believed. Of what it counts more than the ledger, the batches that
    left our window last may be still in the target's; the rest others have sent. What it counts
    less (images that failed) is taken off the oldest.
    """
    ledger = [replace(each, at=min(each.at, now)) for each in accepted]
    ledger.sort(key=lambda each: each.at)
    window = [each for each in ledger if each.at > now - DAY]
    late: list[Uploads] = []
    others = 0
    told = refusal is not None and 0 <= now - refusal.at < DAY and refusal.used is not None
    if refusal is not None and told:
        then = [each for each in ledger if refusal.at - DAY <= each.at < refusal.at]
        more = (refusal.used or 0) - sum(each.counted(refusal.at) for each in then)
        if more < 0:
            since = [each for each in window if each.at >= refusal.at]
            less = _without(then, refusal.at, -more)
            window = [each for each in less if each.at > now - DAY] + since
        else:
            late, others = _late(ledger, refusal.at, more)
    leaving = [Uploads(each.at + DAY, each.images) for each in window]
    leaving += [each for each in late if each.at > now]
    if refusal is not None and others:
        leaving.append(Uploads(refusal.at + DAY, others))
    leaving.sort(key=lambda each: each.at)
    held = tuple(each for each in leaving if each.images)
    return Quota(now, _allowed(refusal, rules, now), rules.reserve, held, others)


def _allowed(refusal: QuotaSeen | None, rules: QuotaRules, now: float) -> int | None:
    """The target knows best; but what it said a day ago may have changed, if the user says so."""
    told, stated = None if refusal is None else refusal.allowed, rules.daily_limit
    if refusal is None or told is None or stated is None:
        return stated if told is None else told
    return min(told, stated) if now - refusal.at < DAY else stated


def _without(ledger: Sequence[Accepted], at: float, fewer: int) -> Iterator[Accepted]:
    """The ledger with so many images less than it counted ``at`` some time, the oldest first."""
    for each in ledger:
        less = min(fewer, each.counted(at))
        fewer -= less
        yield replace(each, images=max(0, each.images - less))


def _late(ledger: Sequence[Accepted], at: float, more: int) -> tuple[list[Uploads], int]:
    """Of so many images that a target counted ``at`` some time and our window does not: those of
    batches that had just left it, which are tried again after as long as they were overdue; and
    how many others sent."""
    late = []
    for each in reversed(ledger):
        if at - DAY - LAG < each.at < at - DAY and more:
            images = min(more, each.images)
            more -= images
            overdue = at - (each.at + DAY)
            late.append(Uploads(at + max(SHORTEST_LAG, overdue), images))
    return late, more
