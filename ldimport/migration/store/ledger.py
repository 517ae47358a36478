"""What of the state file is about time: accepted batches, refusals for the quota, runs."""

from ldimport.database_rows import made, values_checked
from ldimport.migration.model import RunRow
from ldimport.migration.quota import DAY, LAG, Accepted, QuotaSeen
from ldimport.migration.store.file import StateFile
from ldimport.migration.store.schema import KIND, SQL


@values_checked(KIND)
class Ledger(StateFile):
    """Every method that writes is one transaction."""

    def accepted(self, target: str, now: float) -> list[Accepted]:
        """Batches that a target accepted and may still count, with the images that it counts:
        all of an open job, of an ended one those that arrived."""
        asked = {"target": target, "since": now - 2 * DAY - LAG}
        return list(self._each(Accepted, SQL["accepted"], asked))

    def refusal(self, target: str) -> QuotaSeen | None:
        """What the target said when it refused a batch for its quota last."""
        row = self._connection.execute(SQL["refusal"], (target,)).fetchone()
        return None if row is None else made(QuotaSeen, row)

    def refused(self, target: str, refusal: QuotaSeen) -> None:
        """Remember what it said. Numbers that it does not give stay as they were known."""
        with self._writing() as connection:
            what = (target, refusal.allowed, refusal.used, refusal.at)
            connection.execute(SQL["refused"], what)

    def forget_refusal(self, target: str) -> None:
        """It holds no longer."""
        with self._writing() as connection:
            connection.execute("DELETE FROM refusal WHERE target = ?", (target,))

    def record_run(self, run: RunRow) -> None:
        """A run of this file has ended."""
        with self._writing() as connection:
            what = (run.target, run.system_name, run.command, run.started_at, run.finished_at)
            connection.execute(SQL["ran"], (*what, run.exit_code, run.sent, run.unsent))

    def runs(
        self, *, target: str | None = None, system_name: str | None = None, most: int = 50
    ) -> list[RunRow]:
        """Runs, the last one first."""
        asked = {"target": target, "system_name": system_name, "most": most}
        return list(self._each(RunRow, SQL["runs"], asked))
