"""What webhooks said, as a run uses it: which jobs to ask about at once, how long the others may
wait, and which job a batch became whose answer was lost."""

from collections.abc import Iterator
from contextlib import suppress

from ldimport.errors import LdimportError
from ldimport.migration.account import Account
from ldimport.migration.inbox import Inbox
from ldimport.migration.model import OpenBatch
from ldimport.model import JobHint

LONGEST_PAUSE = 300.0
"""Seconds between two questions about a job whose end somebody listens for."""


class Hints:
    """The notices beside the state file, for one run. The engine in this process needs none."""

    def __init__(self, account: Account) -> None:
        self._store, self._local = account.store, account.target.local
        self._inbox = Inbox(account.store.path)
        self._numbers: dict[str, int] = {}
        self._told: set[str] = set()
        self._jobs: dict[str, str] = {}
        self._most: dict[str, int] = {}
        self._called: dict[int, bool] = {}

    def follow(self, batch: OpenBatch) -> bool:
        """A job is followed from here on. True: its notice came already, before it was known."""
        job_id = batch.job_id or ""
        self._numbers[job_id] = batch.id
        return job_id in self._told

    def due(self) -> Iterator[int]:
        """The batches whose jobs were named since the last call; nearly free while none was."""
        for hint in () if self._local else self._inbox.new():
            self._told.add(hint.job)
            if hint.batch is not None and self._arrived(hint) >= self._most.get(hint.batch, 0):
                self._jobs[hint.batch], self._most[hint.batch] = hint.job, self._arrived(hint)
            if hint.job in self._numbers:
                yield self._numbers[hint.job]

    @staticmethod
    def _arrived(hint: JobHint) -> int:
        """A request that was repeated has several jobs: the one that counts made the images."""
        return 0 if hint.counts is None else hint.counts.success

    def job_of(self, batch: OpenBatch) -> str | None:
        """The job that a batch became, where a notice named the batch by its key."""
        return self._jobs.get(batch.key)

    def longest(self, batch: OpenBatch, usual: float) -> float:
        """Seconds that may lie between two questions: many, where a webhook will call whoever
        listens at this moment."""
        if batch.id not in self._called:
            self._called[batch.id] = self._store.has_webhook(batch)
        return LONGEST_PAUSE if self._called[batch.id] and self._inbox.listened else usual

    def end(self, batch: OpenBatch) -> None:
        """The job's results are stored."""
        self._numbers.pop(batch.job_id or "", None)
        self._called.pop(batch.id, None)

    def close(self) -> None:
        """Notices of ended jobs are of no more use, whichever run stored their results."""
        with suppress(LdimportError):  # they may stay
            known = self._store.jobs([*self._told]) if self._told else ()
            self._inbox.drop({row.id for row in known if row.state.finished})
