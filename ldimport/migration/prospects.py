"""How an archive stands with the quota of its target, and how its last run ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ldimport.migration.model import ArchiveSums, RunRow
from ldimport.migration.quota import Forecast, Quota, QuotaRules, quota_at
from ldimport.migration.store import StateStore


@dataclass(frozen=True, slots=True)
class Prospect:
    """Of one archive: the target's ``quota``, its ``last_run``, and when what the last submit left
    unsent will be sent, where that can be said."""

    target: str
    system_name: str
    quota: Quota
    last_run: RunRow | None
    forecast: Forecast | None


def prospects(
    store: StateStore, archives: Iterable[ArchiveSums], rules: QuotaRules, now: float
) -> Iterator[Prospect]:
    """Of each archive; nobody is asked."""
    for each in archives:
        accepted, seen = store.accepted(each.target, now), store.refusal(each.target)
        quota = quota_at(now, accepted, seen, rules)
        runs = store.runs(target=each.target, system_name=each.system_name)
        sent = next((run for run in runs if run.command == "submit"), None)
        forecast = quota.forecast(sent.unsent) if sent is not None and sent.unsent else None
        yield Prospect(each.target, each.system_name, quota, runs[0] if runs else None, forecast)
