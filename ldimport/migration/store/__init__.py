"""The state file behind one object: every entry ever sent, every job, every result.

Nothing outside knows that it is SQLite: methods take and return the types of ``migration.model``
and ``migration.batch``.
"""

from __future__ import annotations

from ldimport.migration.store.queries import Queries

__all__ = ["StateStore"]


class StateStore(Queries):
    """What a migration remembers. Use ``StateStore.open``, and close it.

    One process writes at a time (LockedError for the second), any number read, and readers see
    whole transactions only. Each method that writes is one durable transaction:

    - ``record_intent`` before a batch is POSTed, ``accept`` or ``refuse`` after it was answered.
      A batch whose answer was lost stays open, and is handed over again with the same key.
    - ``settle`` stores the results of a job, what they change of its images, the sums of the
      archive and the end of the batch, all or nothing.

    Nothing is ever forgotten: batches and attempts are only added. After ``close`` by the writer
    all of it is one file.
    """
