"""The contract between the engine and whatever keeps its jobs, library, outbox and tokens.

Each method is one transaction: durable when it returns, all of it or nothing, and no reader sees
a part. Records and model types go in and out; ``now`` is Unix seconds. Threads and processes use
one store at the same time. Errors are StateFileError (not ours, newer, damaged) and
TemporaryError (disk full, locked, unreachable): nothing was changed, the call may be repeated.

``store.sqlite`` is the implementation of today: one writer at a time keeps most promises by
itself. Lines that begin with "PostgreSQL" say how a store with many writers keeps them.
``tests/engine/test_store_contract.py`` runs against every implementation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from ldimport.engine import records
from ldimport.engine.blobs import Blobs

Edit = Callable[[records.MediaEntry], records.MediaEntry]


class Follower(Protocol):
    """What happens to jobs. Those that are open already are not told as accepted, but their end
    is. All looks come from one thread."""

    @property
    def open_jobs(self) -> int:
        """Jobs open at the last look."""

    def look(self) -> Sequence[records.JobChange]:
        """What was accepted and what has ended since the last look; nearly free while nothing
        has. A job of which both is true is told twice."""


class Jobs(Protocol):
    """Accepted batches and their images: ``started`` -> ``success`` or ``failed``, for ever."""

    def of_key(self, key: str) -> tuple[str, str] | None:
        """Id and body digest of the job that was accepted under this key."""

    def accept(self, job: records.NewJob, daily_limit: int) -> str:
        """Record a batch with all its images and terms, and return its id; if its key was used
        before for the same body, that job's id, and nothing is recorded.

        Key and quota are looked at in the step that records: of two that race for a key or for
        the last free place one is accepted. Raises KeyConflictError for another body, QuotaError
        when images stored in the last 24 hours, open ones and this batch exceed ``daily_limit``
        (0: no limit). PostgreSQL: SERIALIZABLE, repeated on a serialisation failure; or an
        advisory lock for the quota and ON CONFLICT for the key.
        """

    def get(self, job_id: str) -> records.JobSummary | None:
        """One job; None when there is none of this id."""

    def results(self, job_id: str) -> Sequence[records.StoredResult]:
        """Its images with an outcome, in the order of the request. They change no more, whatever
        becomes of the entries later."""

    def newest(
        self,
        most: int,
        before: str | None = None,
        which: records.JobFilter = records.JobFilter.ALL,
    ) -> Sequence[records.JobSummary]:
        """Up to ``most`` jobs, newest first; those older than the job ``before``."""

    def totals(self) -> records.JobTotals:
        """Sums of all jobs."""

    def images(
        self, job_id: str, which: records.ImageFilter, most: int, after: int = 0
    ) -> Sequence[records.JobImage]:
        """Up to ``most`` of its images, behind the one with this number."""

    def reasons(self, job_id: str) -> Sequence[records.FailureReason]:
        """Why its images failed, the most frequent cause first."""

    def open_images(self) -> int:
        """Images that have no outcome yet."""

    def any_free(self, only: str | None = None, after: int = 0) -> bool:
        """Whether ``WorkerSession.work`` would find an image to claim; cheap, asked often."""

    def terms(self, number: int) -> records.Terms:
        """The terms of this number. Raises LdimportError when they cannot be used any more."""

    def fail(self, terms: int, reason: str, cause: str, now: float) -> None:
        """End all open jobs under these terms: their open images have failed. A job of which
        nothing was tried is ``failed``. Leases on them are void."""

    def follow(self) -> Follower:
        """Follow jobs from now on, whichever process accepts them and carries them out."""


class Library(Protocol):
    """Media entries, one for each (systemName, external id) for ever, and their originals."""

    def find(self, system_name: str, external_id: str) -> records.MediaEntry | None:
        """The entry with this identity."""

    def get(self, media_id: str) -> records.MediaEntry | None:
        """The entry with this media id."""

    def original(self, key: str) -> records.StoredAsset | None:
        """The original under this storage key, also one that its entry has replaced."""

    def newest(self, most: int, before: str | None = None) -> Sequence[records.MediaEntry]:
        """Up to ``most`` entries, the newest first; those older than the entry ``before``."""

    def search(
        self, query: records.LibraryQuery, most: int, before: str | None = None, counted: int = 0
    ) -> records.LibraryPage:
        """The same of those that the query names, of which at most so many are ``counted``; what
        ``unread`` counts may be missing. PostgreSQL: a tsvector of unaccent, in the row itself."""

    def kinds(self) -> Sequence[records.LibraryKind]:
        """The kinds of entries that there are, likewise."""

    def unread(self) -> int:
        """How many newer entries search does not know yet; asking has it read on, in a thread of
        its own where there is much to read."""

    def stored_since(self, moment: float) -> int:
        """How many originals were stored since then (Unix seconds)."""

    def change(self, media_id: str, edit: Edit) -> records.MediaEntry | None:
        """Have ``edit`` change metadata and time of change of an entry; its version grows by one.
        None when there is no such entry; what ``edit`` raises leaves it as it was. What an import
        compares is not touched. PostgreSQL: SELECT … FOR UPDATE around ``edit``."""

    def holdings(self) -> tuple[int, int]:
        """How many entries there are, and the bytes of all originals."""

    def sizes(self, system_name: str, bounds: Sequence[int]) -> Mapping[int, int]:
        """Entries of an archive by how many of these bounds the bytes of their original reach."""

    def blobs(self) -> Iterator[tuple[str, int]]:
        """sha256 and size of each blob that an original refers to, in the order of their names; a
        few at a time."""


class Tokens(Protocol):
    """Access tokens of a served engine; only hashes are kept."""

    def add(self, token: records.StoredToken) -> None:
        """Enter a new one."""

    def all(self) -> Sequence[records.StoredToken]:
        """All of them, revoked ones too, oldest first."""

    def of_hash(self, sha256: str) -> records.StoredToken | None:
        """The token whose text has this hash."""

    def revoke(self, token_id: str, now: float) -> bool:
        """Refuse a token from now on; False when there is none with this id."""


class WorkerSession(Protocol):
    """One worker's part in the work: what it claims is leased to it alone until it has recorded
    an outcome, leaves, dies, or does not renew in time.

    Leases are by time and fencing token: each task carries the token that its session had, every
    voiding of leases gives the session a new token, and an outcome under an old one is dropped.
    So each image gets one outcome, whoever was too late. PostgreSQL: time is the server's clock;
    the token is a sequence number; a session's end is seen by an advisory lock it holds.
    """

    @property
    def name(self) -> str:
        """No other session has had it: what it stores before recording is filed under it."""

    @property
    def ageing(self) -> bool:
        """Whether a third of the lease is over: time for the next ``work`` or ``deliver``."""

    def hold(self, task: records.ImportTask | None) -> None:
        """Say which image is being carried out in this moment (None: none is), without a
        transaction. When this session dies or its lease runs out meanwhile, that is counted for
        this image alone; what else it had leased is free as if nothing had been."""

    def last(self, seconds: float) -> None:
        """From the next turn on leases last so long."""

    def work(
        self,
        done: Sequence[records.ImportOutcome],
        now: float,
        *,
        lost: Callable[[], set[str]] = set,
        most: int = 0,
        terms: int | None = None,
        only: str | None = None,
        back: Sequence[records.ImportTask] = (),
        after: int = 0,
    ) -> records.Claimed:
        """One turn: renew the leases, record what is done, give tasks ``back``, lease up to
        ``most`` free images behind the one numbered ``after``.

        Recording writes the outcome, brings the library to what it says, counts it in its job, and
        with a job's last image ends the job and puts down its notification. ``lost`` names blobs
        that are gone again; outcomes with these are not recorded, their images become free. From
        its call to the commit no session clears up blobs. Images are leased oldest first, all of
        one number of terms (of ``terms``, if given), those of the systemName ``only`` where it is
        given; an identity that is open in an earlier job
        waits for it, and an image over which a session died is leased alone. What a fenced session
        had stored without a row is cleared up. PostgreSQL: FOR UPDATE SKIP LOCKED to claim;
        outcomes of one identity cannot meet, since only one of them is free; a shared advisory lock
        against clearing up.
        """

    def deliver(
        self, done: Sequence[records.DeliveryOutcome], most: int, now: float
    ) -> Sequence[records.Notification]:
        """The same for the outbox: renew, record what tries came to, lease up to ``most``
        notifications that are due, at most one for each endpoint, oldest first. The try is counted
        as it is leased, so that one which ends the process is not tried for ever. A slow endpoint
        delays all that waits for it; one that is gone disables all that waits for its url."""

    def patrol(self) -> None:
        """At most once a second: free what dead and hung sessions had leased, and clear up the
        blobs of the dead. That may not meet a turn that records one of these blobs, nor a session
        just starting. PostgreSQL: an exclusive advisory lock while clearing up."""

    def leave(self) -> None:
        """Give back what is still leased, clear up, end."""


class Store(Protocol):
    """All of it. ``uuid`` is the engine's identity, for ever."""

    uuid: str
    jobs: Jobs
    library: Library
    tokens: Tokens

    def activity(self) -> records.Activity:
        """What the work is at, whoever does it; cheap."""

    def clear_up(self, blobs: Blobs) -> None:
        """Free what dead sessions had leased, and remove what they left."""

    def orphans(self, blobs: Blobs, part: str) -> Sequence[str]:
        """Remove the blobs of this part that no original refers to and no writer has under way;
        their names. PostgreSQL: under the exclusive advisory lock."""

    def join(self, blobs: Blobs | None = None) -> WorkerSession:
        """A new session; with ``blobs`` it also clears up what dead ones left there."""

    def any_due(self, now: float) -> bool:
        """Whether ``WorkerSession.deliver`` may find a notification to send."""

    def outbox(
        self, state: records.Delivery | None = None, job: str | None = None, most: int = 0
    ) -> Sequence[records.OutboxEntry]:
        """Notifications, newest first; those in one state, or of one job, where it is named; at
        most so many (0: all)."""

    def send_again(self, ids: Sequence[str], now: float) -> Sequence[str]:
        """Make these notifications (by their id or their job's) due ``now`` with all tries before
        them, whatever became of them, but for one that is under way; nothing if one is unknown.
        The unknown ones."""

    def version(self) -> int:
        """Differs from what this thread was told before when another one has committed since;
        costs next to nothing, asked 20 times a second. PostgreSQL: a counter fed by NOTIFY."""

    def complaints(self) -> Sequence[str]:
        """What is damaged, in sentences; reads everything."""

    def close(self) -> None:
        """Give connections back. May be called twice."""
