"""A state file that was lost, made again from the target's media library: every row of the manifest
is looked up by its identity, and what is there counts as arrived."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ldimport import wire
from ldimport.migration.account import Account
from ldimport.migration.batch import Outgoing, parts
from ldimport.migration.compare import Properties, differences
from ldimport.migration.model import Known
from ldimport.migration.namesakes import CHUNK
from ldimport.migration.pace import Asking
from ldimport.migration.proof import Expected
from ldimport.migration.source import Source
from ldimport.model import Asset, Status

STORED_AFTER = 25
"""Finds are written down after so many: a killed run asks no more than these again."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image of the manifest that the library has; ``same``: with the metadata that would be
    sent. Of its picture the library does not tell."""

    outgoing: Outgoing
    asset: Asset
    same: bool


@dataclass(slots=True)
class Rebuilt:
    """What became of a manifest's rows: ``invalid`` ones are not looked up, nor what was ``known``;
    of the others those that are there ``same`` or ``changed``, and the ``absent`` ones."""

    target: str
    system_name: str
    invalid: int = 0
    known: int = 0
    same: int = 0
    changed: int = 0
    absent: int = 0

    @property
    def asked(self) -> int:
        """How many were looked up."""
        return self.same + self.changed + self.absent


def rebuild(
    account: Account, source: Source, properties: Properties, rate: float | None = None
) -> Generator[Rebuilt, None, None]:
    """Look all rows of a manifest up and write down what is there. Yields how far it is, always the
    same object. Whatever stops it is raised once all that was found is written down; the same again
    goes on there. No batch is recorded: nothing was sent, so no quota counts it."""
    least = account.target.requests_per_second
    ask = Asking(account.clock, least if rate is None else rate)
    run = _Rebuilding(account, source, properties, ask)
    try:
        yield from run.carry_out()
    finally:
        run.store()


@dataclass
class _Rebuilding:
    account: Account
    source: Source
    properties: Properties
    ask: Asking
    waiting: list[Found] = field(default_factory=list)

    def __post_init__(self) -> None:
        label, name = self.account.target.label, self.source.envelope.system_name
        self.end = Rebuilt(label, name)
        self.options = wire.options_to_json(self.source.options)

    def carry_out(self) -> Iterator[Rebuilt]:
        """Chunk by chunk, as a plan reads it."""
        rows = self._valid()
        while chunk := list(islice(rows, CHUNK)):
            known = self._known([each.image.id for each in chunk])
            for each in chunk:
                if _tells(known.get(each.image.id)):
                    self.end.known += 1
                    continue
                self._look(each)
                yield self.end
        self.source.manifest.check_unchanged()
        yield self.end

    def store(self) -> None:
        """Write down what was found."""
        if self.waiting:
            number = self.account.archive(self.end.system_name)
            assert number is not None  # the state file is writable
            self.account.store.found(number, self.waiting)
            self.waiting.clear()

    def _valid(self) -> Iterator[Outgoing]:
        checker = self.source.checker()
        for entry in self.source.manifest.entries():
            checked = self.source.checked(checker, entry)
            if checked.image is None:
                self.end.invalid += 1
            else:
                yield self.source.outgoing(checked)

    def _known(self, ids: list[str]) -> dict[str, Known]:
        """The archive is made only once something of it is found."""
        target, store = self.account.target.identity, self.account.store
        if not store.archives(target=target, system_name=self.end.system_name):
            return {}
        return store.known(self.account.archive(self.end.system_name), ids)

    def _look(self, each: Outgoing) -> None:
        find, name = self.account.target.find, self.end.system_name
        asset = self.ask(lambda: find(name, each.image.id))
        if asset is None:
            self.end.absent += 1
            return
        same = not differences(self._expected(each), asset, self.properties)
        self.end.same += same
        self.end.changed += not same
        self.waiting.append(Found(each, asset, same))
        if len(self.waiting) >= STORED_AFTER:
            self.store()

    def _expected(self, each: Outgoing) -> Expected:
        """What the library would tell, had the row been sent as it is."""
        image = each.image
        title = image.metadata.get("title")
        said = (image.file_name, title if isinstance(title, str) else None)
        unknown = dict.fromkeys(
            ("media_id", "width", "height", "mime_type", "image_service", "original_url",
             "changed_at", "verified_at", "round", "outcome", "differences", "size")
        )  # fmt: skip
        return Expected(
            image.id, True, Status.SUCCESS, parts(image), *said,
            source_url=image.url, options=self.options, **unknown,
        )  # fmt: skip


def _tells(known: Known | None) -> bool:
    """Whether the state file knows what became of an image."""
    return known is not None and (
        known.open or known.status is not None or known.arrived is not None
    )
