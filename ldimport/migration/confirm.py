"""Results that leave open whether an image is at the target as sent: the media library is asked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ldimport.errors import ConfigError, LdimportError, RefusedError
from ldimport.migration.account import Account
from ldimport.migration.batch import Outgoing, Parcel, unsigned
from ldimport.migration.model import Known, OpenBatch
from ldimport.migration.pace import Pace, Step
from ldimport.model import Asset, Image, JobState, JobStatus, Result, Status

MOST_MISSES = 3
"""Then no more is looked up: the library of a server that took nothing over is not asked a
thousand times."""
MOST_MISSING = 20
"""Images of a lost job in a row that are not there as sent: then the rest of it is not looked up
either, but sent again, and the target skips what it has."""


class Lookup:
    """The target's media library, asked at a ``pace``. What shows that it cannot be read at all
    (no token for it, no such page) ``closed`` it for the rest of the run."""

    def __init__(self, account: Account, pace: Pace) -> None:
        self.account, self.pace = account, pace
        self.closed: LdimportError | None = None

    def find(self, system_name: str, external_id: str) -> Step[Asset | None]:
        """What is stored under this identity. Raises what closed it."""
        if self.closed is not None:
            raise self.closed
        find = self.account.target.find
        try:
            return (yield from self.pace.ask(lambda: find(system_name, external_id)))
        except (ConfigError, RefusedError) as error:
            self.closed = error
            raise


@dataclass(frozen=True, slots=True)
class Rest:
    """What a lost job leaves: its outcomes that the library tells, in ``job``, and the images that
    are not there as sent; None: the library told nothing."""

    job: JobStatus
    unsent: Parcel | None = None


def lacks_results(batch: OpenBatch, job: JobStatus) -> bool:
    """Whether a job ended well, but does not say of every image what became of it."""
    clear = sum(not result.unknown for result in job.results)
    return job.state is JobState.SUCCESS and clear < batch.images


def is_clear(batch: OpenBatch, job: JobStatus) -> bool:
    """Whether the end of a job speaks for itself; nothing is known of the images of a lost one."""
    open_ = any(each.leaves_open for each in job.results)
    return not (open_ or lacks_results(batch, job) or job.state is JobState.LOST)


def confirmed(library: Lookup, batch: OpenBatch, job: JobStatus) -> Step[JobStatus]:
    """The end of a job; images that it leaves open, and the media library has as they were sent,
    are imported: by a request whose answer was lost, or whose job is."""
    parcel, found, misses = library.account.store.parcel(batch), [], 0
    for image, changed in _left_open(library.account, parcel, job):
        try:
            asset = yield from library.find(parcel.envelope.system_name, image.id)
        except LdimportError:  # no library, or a token that may not read it
            break
        if asset is not None and (not changed or _as_sent(image, asset)):
            found.append(Result(image.id, Status.SUCCESS, image.file_name, None, asset))
        elif (misses := misses + 1) == MOST_MISSES:
            break
    return replace(job, results=(*job.results, *found))


def reconciled(library: Lookup, batch: OpenBatch, job: JobStatus) -> Step[Rest]:
    """What the media library tells of a lost job, image by image: those that are there as they were
    sent have arrived. Raises what may pass, such as TemporaryError."""
    store = library.account.store
    parcel, found, missing = store.parcel(batch), dict[int, Result](), 0
    known = store.known(parcel.archive, [each.image.id for each in parcel.images])
    for n, each in enumerate(parcel.images):
        try:
            asset = yield from library.find(parcel.envelope.system_name, each.image.id)
        except LdimportError:
            if library.closed is None:
                raise
            return Rest(job)
        if asset is not None and _is_there(each, known[each.image.id], asset):
            name = each.image.file_name
            found[n] = Result(each.image.id, Status.SUCCESS, name, None, asset)
        missing = 0 if n in found else missing + 1
        if missing == MOST_MISSING:
            break
    unsent = replace(parcel.without(found).unmarked(batch.key), instead_of=batch.id)
    return Rest(replace(job, results=tuple(found.values())), unsent)


def _is_there(each: Outgoing, before: Known, asset: Asset) -> bool:
    """Whether the library shows what was sent, and not what had arrived before."""
    if before.arrived is None:  # a target may add to it what the file itself says
        said, has = each.image.metadata, asset.metadata
        return not has or all(has.get(name) == value for name, value in said.items())
    if before.arrived == each.content:
        return True
    return comparable(each.image, before) and _as_sent(each.image, asset)


def _left_open(account: Account, parcel: Parcel, job: JobStatus) -> Iterator[tuple[Image, bool]]:
    """Images whose state the library can tell, and whether an older one had arrived before."""
    told = {result.external_id: result for result in job.results}
    ids = [each.image.id for each in parcel.images]
    known = account.store.known(parcel.archive, ids)
    for each in parcel.images:
        result, before = told.get(each.image.id), known[each.image.id]
        changed = before.arrived not in (None, each.content)
        if changed and not comparable(each.image, before):
            continue
        if result is None or result.unknown or (changed and result.leaves_open):
            yield each.image, changed


def comparable(image: Image, before: Known) -> bool:
    """Whether only metadata changed: of the rest the library does not tell what was sent."""
    source = before.file_name, unsigned(before.source_url or "")
    same = source == (image.file_name, unsigned(image.url))
    return same and before.status is not Status.FAILED


def _as_sent(image: Image, asset: Asset) -> bool:
    """Whether this is the metadata that was sent; a title may come from the fileName."""
    has = asset.metadata
    same = {"title": has.get("title"), **image.metadata} == {"title": None, **has}
    return same and asset.media_type in (None, image.media_type)
