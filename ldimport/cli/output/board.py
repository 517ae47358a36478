"""Archives of the state file as documents, for pages: sums, failures by cause with the command that
deals with them, what is to come."""

from collections.abc import Callable
from typing import Any

from ldimport.cli.output import documents, quota
from ldimport.cli.output.summary import way_out
from ldimport.migration import Migration
from ldimport.migration.model import ArchiveName, ArchiveSums, CauseRow, Filter, Totals
from ldimport.migration.quota import QuotaRules
from ldimport.model import JobState, Status

MOST_JOBS = 20
Document = dict[str, Any]


class Board:
    """What a state file tells. ``opened`` opens it to be read, once for each look; ``command``
    writes a next command (``Session.next_command``); ``now`` is Unix time."""

    def __init__(
        self,
        opened: Callable[[], Migration],
        command: Callable[..., str],
        rules: QuotaRules,
        now: Callable[[], float],
    ) -> None:
        self._opened, self._command = opened, command
        self._rules, self._now = rules, now

    def overview(self) -> Document:
        """All archives, with their sums and what is to come."""
        with self._opened() as migration:
            archives = [self._archive(migration, each) for each in migration.archives()]
        return {"archives": archives, "submit": self._command("submit", "MANIFEST")}

    def archive(self, target: str, system_name: str) -> Document | None:
        """One archive: also why images failed, and its newest jobs; ``target`` is its identity."""
        with self._opened() as migration:
            for sums in migration.archives():
                if (sums.target, sums.system_name) == (target, system_name):
                    return self._whole(migration, sums)
        return None

    def _archive(self, migration: Migration, sums: ArchiveSums) -> Document:
        (prospect,) = migration.prospects([sums], self._rules)
        return {
            **documents.archive(sums),
            "rows": sums.totals.rows,
            "standing": quota.standing(prospect, self._now(), here=True),
            "prospect": documents.prospect(prospect),
        }

    def _whole(self, migration: Migration, sums: ArchiveSums) -> Document:
        name = ArchiveName(sums.target, sums.system_name)
        failed = Filter(target=sums.target, system_name=sums.system_name, status=Status.FAILED)
        causes = migration.causes(failed) if sums.totals.failed else ()
        waivers = migration.waivers(failed) if sums.totals.waived else ()
        jobs = [*migration.jobs(target=name.target, system_name=name.system_name, most=MOST_JOBS)]
        return {
            "archive": self._archive(migration, sums),
            "causes": [self._cause(each, name) for each in causes],
            "waivers": [*map(documents.waiver, waivers)],
            "jobs": [{**documents.job(row), "submitted": row.submitted_at} for row in jobs],
            "underWay": any(row.state is JobState.STARTED for row in jobs),
            "commands": self._next(sums.totals, name),
        }

    def _cause(self, row: CauseRow, name: ArchiveName) -> Document:
        """One group of failures, and what deals with it."""
        listed = self._command("results", "--failed", "--cause", row.cause, of=name)
        found = way_out(row.cause, None)
        if found is not None:
            words, why = found
        elif row.retryable:
            words, why = ("retry", "--cause", row.cause), "sends them again"
        else:
            words, why = ("explain", row.cause), "what it means, and what mends it"
        deals = {"command": self._command(*words, of=name), "why": why}
        return {**documents.cause(row), "text": row.text, "deals": deals, "lists": listed}

    def _next(self, totals: Totals, name: ArchiveName) -> list[Document]:
        """What to do next."""
        found: list[tuple[tuple[str, ...], str]] = []
        if totals.pending:
            found.append((("watch",), "goes on with what is open"))
        if totals.failed:
            found.append((("results", "--failed"), "every failure with row, id, url and reason"))
        if totals.success:
            found.append((("verify",), "compares what arrived with what was sent"))
            found.append((("export", "map"), "which image became what"))
        return [{"command": self._command(*words, of=name), "why": why} for words, why in found]
