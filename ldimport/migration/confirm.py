"""Results that leave open whether an image is at the target as sent: the media library is asked."""

from collections.abc import Iterator
from dataclasses import replace

from ldimport.errors import LdimportError
from ldimport.migration.account import Account
from ldimport.migration.batch import Parcel, unsigned
from ldimport.migration.model import Known, OpenBatch
from ldimport.model import Asset, Image, JobState, JobStatus, Result, Status

MOST_MISSES = 3
"""Then no more is looked up: the library of a server that took nothing over is not asked a
thousand times."""


def lacks_results(batch: OpenBatch, job: JobStatus) -> bool:
    """Whether a job ended well, but does not say of every image what became of it."""
    clear = sum(not result.unknown for result in job.results)
    return job.state is JobState.SUCCESS and clear < batch.images


def is_clear(batch: OpenBatch, job: JobStatus) -> bool:
    """Whether the end of a job speaks for itself."""
    return not (lacks_results(batch, job) or any(each.leaves_open for each in job.results))


def confirmed(account: Account, batch: OpenBatch, job: JobStatus) -> JobStatus:
    """The end of a job; images that it leaves open, and the media library has as they were sent,
    are imported: by a request whose answer was lost, or whose job is."""
    if is_clear(batch, job):
        return job
    parcel, found, misses = account.store.parcel(batch), [], 0
    for image, changed in _left_open(account, parcel, job):
        try:
            asset = account.target.find(parcel.envelope.system_name, image.id)
        except LdimportError:  # no library, or a token that may not read it
            break
        if asset is not None and (not changed or _as_sent(image, asset)):
            found.append(Result(image.id, Status.SUCCESS, image.file_name, None, asset))
        elif (misses := misses + 1) == MOST_MISSES:
            break
    return replace(job, results=(*job.results, *found))


def _left_open(account: Account, parcel: Parcel, job: JobStatus) -> Iterator[tuple[Image, bool]]:
    """Images whose state the library can tell, and whether an older one had arrived before."""
    told = {result.external_id: result for result in job.results}
    ids = [each.image.id for each in parcel.images]
    known = account.store.known(parcel.archive, ids)
    for each in parcel.images:
        result, before = told.get(each.image.id), known[each.image.id]
        changed = before.arrived not in (None, each.content)
        if changed and not _comparable(each.image, before):
            continue
        if result is None or result.unknown or (changed and result.leaves_open):
            yield each.image, changed


def _comparable(image: Image, before: Known) -> bool:
    """Whether only metadata changed: of the rest the library does not tell what was sent."""
    source = before.file_name, unsigned(before.source_url or "")
    same = source == (image.file_name, unsigned(image.url))
    return same and before.status is not Status.FAILED


def _as_sent(image: Image, asset: Asset) -> bool:
    """Whether this is the metadata that was sent; a title may come from the fileName."""
    has = asset.metadata
    same = {"title": has.get("title"), **image.metadata} == {"title": None, **has}
    return same and asset.media_type in (None, image.media_type)
