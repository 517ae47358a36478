"""The state file itself: what is in it, is it sound; and what its care did, as frozen types."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ldimport.migration.model import ArchiveSums, RunRow


@dataclass(frozen=True, slots=True)
class StateInfo:
    """What a state file is: its ``size`` in bytes with its log, the ``schema`` that it has and the
    ``newest`` one, jobs by state, when anything changed last, who holds its lock in words."""

    file: Path
    size: int
    schema: int
    newest: int
    archives: tuple[ArchiveSums, ...]
    jobs: Mapping[str, int]
    last_change: float | None
    last_run: RunRow | None
    holder: str | None

    @property
    def older(self) -> bool:
        """Whether the next command that writes migrates it."""
        return self.schema < self.newest


@dataclass(frozen=True, slots=True)
class StateFault:
    """Something in a state file that is not as it was ever written, in a sentence, and what to do;
    ``repairable``: the sums can be counted again."""

    text: str
    fix: str
    repairable: bool = False


@dataclass(frozen=True, slots=True)
class StateHealth:
    """What a check found; ``images`` and ``jobs`` it looked at, and how many sums it
    ``repaired``."""

    file: Path
    images: int
    jobs: int
    faults: tuple[StateFault, ...] = ()
    repaired: int = 0

    @property
    def sound(self) -> bool:
        """Whether all is as it should be."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Merged:
    """What was taken from another state file. ``settled``: batches known in both that had ended
    there; ``updated``: images whose outcome there is the later one; ``open_in_both``: images under
    way in two batches, of which the newer one counts; ``engines``: local engines that only the
    other file knows."""

    archives: int = 0
    batches: int = 0
    settled: int = 0
    added: int = 0
    updated: int = 0
    open_in_both: int = 0
    verifications: int = 0
    runs: int = 0
    engines: int = 0

    @property
    def nothing(self) -> bool:
        """Whether all of it was known."""
        return replace(self, open_in_both=0, engines=0) == Merged()


@dataclass(frozen=True, slots=True)
class Copied:
    """Rows that an export or import carried, by table."""

    rows: Mapping[str, int] = field(default_factory=dict)
