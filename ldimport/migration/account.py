"""What every use case works with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ldimport.migration.model import OpenBatch
from ldimport.migration.store import StateStore
from ldimport.targets.base import Target


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a run sees it: Unix seconds, monotonic seconds, and waiting."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Account:
    """The state file, the target that images go to, and the time."""

    store: StateStore
    target: Target
    clock: Clock = field(default_factory=Clock)

    def archive(self, system_name: str) -> int | None:
        """Number of an archive of the target; made when the state file is writable, else None if
        unknown."""
        return self.store.archive(self.target.identity, self.target.label, system_name)

    def open_batches(self, only: Sequence[str] = ()) -> list[OpenBatch]:
        """Batches under way at the target; ``only`` those of these jobs where any are named."""
        return self.store.open_batches(self.target.identity, only)
