"""How much of what is to be sent the target's quota admits now, and until when a run waits."""

import math
from collections.abc import Callable

from ldimport.errors import QuotaError
from ldimport.migration.account import Account
from ldimport.migration.batch import Parcel
from ldimport.migration.quota import ASK_AGAIN, DAY, SOON, Quota, QuotaRules, QuotaSeen


class Admission:
    """Parcels are cut to the room that is left, so that the last one of a day fits exactly. What a
    refusal says is remembered in the state file; a target that refuses without numbers gets ever
    smaller batches. A run that finds no room asks once, with one image: the limit may have been
    raised, and others may have used less. ``left()`` are the seconds until the deadline."""

    def __init__(self, account: Account, rules: QuotaRules, left: Callable[[], float]) -> None:
        self._account, self._rules, self._left = account, rules, left
        self._store, self._target = account.store, account.target.identity
        self._most: int | None = None
        self._closed: QuotaError | None = None
        self._may_ask, self._asking = True, False
        self._until: float | None = None

    @property
    def quota(self) -> Quota:
        """As it is now."""
        return self._account.quota(self._rules)

    def admitted(self, parcel: Parcel) -> tuple[Parcel | None, list[Parcel]]:
        """What may be sent of a parcel now, and what has to come later. Raises ConfigError where
        the reserve leaves nothing for ever."""
        quota = self.quota
        quota.check_reserve()
        room = 0 if self._closed_at(quota.at) else quota.room
        self._asking = room == 0 and self._asks(quota)
        if self._asking:
            room, self._may_ask = 1, False
        room = min((each for each in (room, self._most) if each is not None), default=None)
        if room is None or room >= len(parcel.images):
            return parcel, []
        if room == 0:
            return None, [parcel]
        first, rest = parcel.parted(room)
        return first, [rest]

    def _closed_at(self, now: float) -> bool:
        return self._closed is not None and (self._closed.resume_at or 0.0) > now

    def _asks(self, quota: Quota) -> bool:
        """Whether it is not the user who leaves no room, and none is there soon anyway."""
        seen = self._store.refusal(self._target)
        by_rules = self._account.quota(self._rules, believed=False).room
        soon = quota.next_room()
        near = soon is not None and soon.at - quota.at <= SOON
        told = seen is not None and seen.allowed is not None
        return self._may_ask and told and not self._rules.reserve and by_rules != 0 and not near

    def accepted(self) -> None:
        """The target took what was admitted: if that was to ask, what it said before is over."""
        self._closed, self._until = None, None
        if self._asking:
            self._store.forget_refusal(self._target)

    def refused(self, error: QuotaError, parcel: Parcel) -> list[Parcel]:
        """The target did not take a parcel: what is to be tried instead, now or later."""
        now, self._may_ask = self._account.clock.now(), False
        self._store.refused(self._target, QuotaSeen(error.limit, error.used, now))
        quota = self.quota
        if error.retry_after is not None and (quota.room is None or quota.others):
            error.resume_at, self._closed = now + error.retry_after, error
            opens = (each for each in quota.opens() if each.at <= error.resume_at + SOON)
            error.fits = sum(each.images for each in opens) or None
            return [parcel]
        if quota.room is not None and quota.room < len(parcel.images):
            return [parcel]
        if len(parcel.images) > 1:  # no numbers, or none that explain it
            self._most = len(parcel.images) // 2
            return parcel.halves()
        soonest = min((each.at for each in quota.leaving), default=now + ASK_AGAIN)
        error.resume_at, self._closed, self._most = soonest, error, None
        return [parcel]

    def opens(self) -> float:
        """When there is room again, where it is worth the wait. Raises QuotaError where it is not:
        the run ends, and says when to go on."""
        quota = self.quota
        closed = self._closed if self._closed_at(quota.at) else None
        error = closed or quota.refusal()
        until = error.resume_at if error.resume_at is not None else math.inf
        if quota.others and self._rules.wait and not closed:
            until = min(until, quota.at + ASK_AGAIN)
        self._until = self._until or quota.at + (2 * DAY if self._rules.wait else SOON)
        if until > self._until or until - quota.at >= self._left():
            raise error
        self._may_ask = True
        return until
