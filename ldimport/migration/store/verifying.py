"""What is written down of looks at a target's media library, and which images they are about."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ldimport.database import statements
from ldimport.database_rows import made, values_checked
from ldimport.migration.batch import parts
from ldimport.migration.handover import Contact
from ldimport.migration.model import Filter
from ldimport.migration.proof import Begun, Differences, Expected, Look, Mismatch, Proof
from ldimport.migration.store.packing import unpack_one
from ldimport.migration.store.recording import Recording, sums_follow
from ldimport.migration.store.schema import KIND
from ldimport.migration.story import BatchOfImage, ImageNow, Step, steps

if TYPE_CHECKING:
    from ldimport.migration.rebuild import Found

SQL = statements(__package__, "handover.sql")


@values_checked(KIND)
class Verifying(Recording):
    """Images are read page by page, so that other statements may write between."""

    def expected_count(self, archive: int, *, missing: bool = False) -> int:
        """How many images the target should have; ``missing``: of those not found last."""
        asked = {"archive": archive, "missing": missing}
        row = self._connection.execute(SQL["count_expected"], asked).fetchone()
        return int(row[0])

    def expected_ids(self, archive: int, after: str, most: int, *, missing: bool) -> list[str]:
        """The next ``most`` of their ids, in order, ``after`` this one."""
        asked = {"archive": archive, "missing": missing, "after": after, "most": most}
        return [row[0] for row in self._connection.execute(SQL["next_ids"], asked)]

    def expected(self, archive: int, ids: Sequence[str]) -> list[Expected]:
        """What the target should have of these images (a few hundred)."""
        asked = {"archive": archive, "ids": json.dumps(ids)}
        return list(self._each(Expected, SQL["expected"], asked))

    def begun(self, archive: int) -> Begun | None:
        """The last verification of an archive."""
        row = self._connection.execute(SQL["begun"], (archive,)).fetchone()
        return None if row is None else made(Begun, row)

    def begin(self, archive: int, begun: Begun) -> None:
        """A verification begins, in the place of the last one."""
        row = (archive, begun.round, begun.sample, begun.seed, begun.pictures)
        with self._writing() as connection:
            connection.execute(SQL["begin"], row)

    def finish(self, archive: int) -> None:
        """A verification has come to its end."""
        with self._writing() as connection:
            connection.execute("UPDATE verifying SET ended = 1 WHERE scope = ?", (archive,))

    def looked(self, archive: int, round_: int, looks: Sequence[Look], *, mark: bool) -> int:
        """Write down what looks told; ``mark``: those missing count as not sent from now on, and
        how many these are is returned."""
        gone = [each.external_id for each in looks if each.outcome is Proof.MISSING]
        with self._writing() as connection:
            connection.executemany(SQL["looked"], [_row(archive, round_, each) for each in looks])
            if not (mark and gone):
                return 0
            with sums_follow(connection, archive, gone):
                return connection.execute(SQL["not_there"], (archive, json.dumps(gone))).rowcount

    def found(self, archive: int, found: Sequence["Found"]) -> None:
        """Images of which nothing was known and that the media library has, count as arrived."""
        ids = [each.outgoing.image.id for each in found]
        with self._writing() as connection, sums_follow(connection, archive, ids):
            connection.executemany(SQL["found"], [_found(archive, each) for each in found])

    def findings(self, archive: int, round_: int, since: float) -> Iterator[Mismatch]:
        """Images that were not there as expected when a verification looked them up, since then."""
        asked = {"archive": archive, "round": round_, "since": since}
        for row in self._connection.execute(SQL["findings"], asked):
            yield made(Mismatch, row, differences=differences_of(row["differences"]))

    def story(self, archive: int, external_id: str) -> tuple[tuple[Step, ...], ImageNow]:
        """What became of an image, and how it stands."""
        asked = {"archive": archive, "id": external_id}
        row = self._connection.execute(SQL["now_of_image"], asked).fetchone()
        original = None if row["packed"] is None else unpack_one(row["packed"]).original
        told = differences_of(row["differences"])
        now = made(ImageNow, row, differences=told, original=original)
        batches = list(self._each(BatchOfImage, SQL["batches_of_image"], asked))
        return steps(batches, now), now

    def contacts(self, which: Filter) -> Iterator[Contact]:
        """Images that the target has, of the archives that are meant, with their beginnings."""
        asked = {"target": which.target, "system_name": which.system_name}
        return self._each(Contact, SQL["contacts"], asked)


def differences_of(text: str | None) -> Differences:
    """What a column with differences holds."""
    found: Mapping[str, Any] = json.loads(text) if text else {}
    return {name: (expected, there) for name, (expected, there) in found.items()}


def _found(archive: int, found: "Found") -> dict[str, object]:
    """What differs was sent in a form that nobody knows: it is sent again."""
    each, image, asset = found.outgoing, found.outgoing.image, found.asset
    title = asset.metadata.get("title")
    content = each.content if found.same else b""
    names = ("media_id", "url", "original_url", "width", "height", "mime_type", "image_service")
    return {
        **{name: getattr(asset, name) for name in names},
        "scope": archive,
        "external_id": image.id,
        "sent": each.fingerprint if found.same else None,
        "arrived": content,
        "parts": parts(image) if found.same else None,
        "row": each.row,
        "title": title if isinstance(title, str) else image.file_name,
        "file_name": image.file_name,
        "source_url": image.url,
    }


def _row(archive: int, round_: int, look: Look) -> tuple[object, ...]:
    told = json.dumps(look.differences, default=dict) if look.differences else None
    what = (look.media_id, look.size, look.created_at, round_, look.ahead)
    return (archive, look.external_id, look.at, look.outcome, told, *what)
