"""The store in one SQLite file of the engine's folder."""

import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import product
from pathlib import Path

from ldimport import database
from ldimport.database_rows import made, misfits, values_checked
from ldimport.engine.blobs import Blobs
from ldimport.engine.records import Activity, Delivery, OutboxEntry, StoredToken
from ldimport.engine.store.contract import Store, Tokens
from ldimport.engine.store.sqlite import outbox, sessions
from ldimport.engine.store.sqlite.catalogue import Catalogue
from ldimport.engine.store.sqlite.jobs import SqliteJobs
from ldimport.engine.store.sqlite.library import SqliteLibrary
from ldimport.engine.store.sqlite.schema import FILE, KIND, SEARCH_FILE, SQL
from ldimport.engine.store.sqlite.search import SearchIndex
from ldimport.errors import LdimportError, LockedError


@values_checked(KIND)
class SqliteStore(Store):
    """The catalogue of one folder; not ``write``: nothing in it changes. Raises what ``Catalogue``
    raises."""

    def __init__(
        self, folder: Path, monotonic: Callable[[], float] = time.monotonic, *, write: bool = True
    ) -> None:
        self._catalogue = Catalogue(folder, monotonic, write=write)
        self.jobs = SqliteJobs(self._catalogue)
        self._search = SearchIndex(self._catalogue)
        self.library = SqliteLibrary(self._catalogue, self._search)
        self.tokens = SqliteTokens(self._catalogue)
        try:
            ((found,),) = self._catalogue.rows("SELECT uuid FROM engine")
            self.uuid = str(uuid.UUID(found))
        except BaseException as error:
            self.close()
            if not isinstance(error, ValueError | TypeError | AttributeError):
                raise
            text = f"the engine catalogue {self._catalogue.path} is damaged: it has no identity"
            raise KIND.error(text, "state-damaged") from error

    def join(self, blobs: Blobs | None = None) -> sessions.SqliteSession:
        return sessions.SqliteSession(self._catalogue, blobs)

    def activity(self) -> Activity:
        return made(Activity, self._catalogue.rows(SQL["activity"])[0])

    def clear_up(self, blobs: Blobs) -> None:
        sessions.clear_up(self._catalogue, blobs)

    def orphans(self, blobs: Blobs, part: str) -> Sequence[str]:
        return sessions.orphans(self._catalogue, blobs, part)

    def any_due(self, now: float) -> bool:
        return outbox.any_due(self._catalogue, now)

    def outbox(
        self, state: Delivery | None = None, job: str | None = None, most: int = 0
    ) -> Sequence[OutboxEntry]:
        return outbox.entries(self._catalogue, state, job, most)

    def send_again(self, ids: Sequence[str], now: float) -> Sequence[str]:
        with self._catalogue.writing() as connection:
            return outbox.send_again(connection, ids, now)

    def version(self) -> int:
        return self._catalogue.version()

    def complaints(self) -> Sequence[str]:
        rows = self._catalogue.rows("PRAGMA integrity_check(20)")
        found = [text for (text,) in rows if text != "ok"]
        if broken := self._catalogue.rows("PRAGMA foreign_key_check"):
            found.append(f"{len(broken)} rows refer to rows that are not there")
        return found or misfits(self._catalogue.connection, KIND)

    def close(self) -> None:
        self._search.close()
        self._catalogue.close()


@values_checked(KIND)
class SqliteTokens(Tokens):
    """Tokens in the table ``token``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def add(self, token: StoredToken) -> None:
        with self._catalogue.writing() as connection:
            row = asdict(token) | {"scopes": " ".join(token.scopes)}
            connection.execute(SQL["enter_token"], row)

    def all(self) -> Sequence[StoredToken]:
        return self._found("ORDER BY created_at, id")

    def of_hash(self, sha256: str) -> StoredToken | None:
        return next(iter(self._found("WHERE sha256 = ?", sha256)), None)

    def revoke(self, token_id: str, now: float) -> bool:
        sql = "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
        with self._catalogue.writing() as connection:
            return connection.execute(sql, (now, token_id)).rowcount == 1

    def _found(self, rest: str, *values: str) -> list[StoredToken]:
        rows = self._catalogue.rows(f"SELECT * FROM token {rest}", *values)  # noqa: S608
        return [made(StoredToken, row, scopes=tuple(str.split(row["scopes"]))) for row in rows]


def require(folder: Path) -> None:
    """Raise StateFileError when there is no store in this folder."""
    if not exists(folder):
        raise KIND.error(f"there is no engine in {folder}", "state-missing")


def identity(folder: Path) -> str | None:
    """The uuid of the engine in ``folder``, only read; None without one that can be read."""
    if not exists(folder):
        return None
    try:
        with closing(database.connect(folder / FILE, KIND, write=False)) as connection:
            return str(uuid.UUID(connection.execute("SELECT uuid FROM engine").fetchone()[0]))
    except (LdimportError, TypeError, ValueError, AttributeError):
        return None


def exists(folder: Path) -> bool:
    """Whether there is a store in this folder, ours or not."""
    return (folder / FILE).is_file()


def remove(folder: Path) -> None:
    """Remove the store in this folder, nothing else that stands there. Raises StateFileError when
    there is none or it is not ours, LockedError while a worker is at work."""
    require(folder)
    SqliteStore(folder).close()  # refuses what is not ours
    if sessions.busy(folder):
        hint = "end the submit, watch, worker or serve that runs them first"
        raise LockedError(f"workers are busy with the engine in {folder}", hint=hint)
    for name, rest in product((FILE, SEARCH_FILE), ("", "-wal", "-shm")):
        (folder / f"{name}{rest}").unlink(missing_ok=True)
    if (folder / sessions.FOLDER).is_dir():
        shutil.rmtree(folder / sessions.FOLDER)
