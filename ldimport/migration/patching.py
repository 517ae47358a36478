"""``--update``: entries that changed, and that the target skipped as already there, are changed
through its media library."""

from collections.abc import Generator, Mapping
from dataclasses import replace

from ldimport.errors import ConfigError, InvalidRequestError, LdimportError
from ldimport.migration.batch import Outgoing, changed_fields, unsigned
from ldimport.migration.confirm import Lookup
from ldimport.migration.events import Event, Patched
from ldimport.migration.model import Known, OpenBatch, Updates, added
from ldimport.model import Asset, Image, JobStatus, Json, Notice, Result, Status

NOT_PATCHED = frozenset(("url", "mediaType"))
"""Fields of an entry that no PATCH sets: they are about the file, or what its properties mean."""
_Patching = Generator[Event | None, None, Result | None]


class Patcher:
    """Sends the PATCHes of one run. ``done`` counts; what shows that none will be taken (403) is
    told once, and nothing is tried after it."""

    def __init__(self, library: Lookup) -> None:
        self.done = Updates()
        self._library = library
        self._closed: LdimportError | None = None

    def patched(self, batch: OpenBatch, job: JobStatus) -> Generator[Event | None, None, JobStatus]:
        """The end of a job, in which what could be updated has arrived. A run that is killed
        before that is stored does it once more, which changes nothing."""
        store = self._library.account.store
        parcel, told = store.parcel(batch), {each.external_id: each for each in job.results}
        known = store.known(parcel.archive, [each.image.id for each in parcel.images])
        results = dict(told)
        for each in parcel.images:
            before, result = known[each.image.id], told.get(each.image.id)
            changed = before.arrived not in (None, each.content)
            if result is None or not (changed and result.leaves_open):
                continue
            now = yield from self._update(parcel.envelope.system_name, each, before, job.id)
            if now is not None:
                results[each.image.id] = now
        return replace(job, results=tuple(results.values()))

    def _update(self, system_name: str, each: Outgoing, before: Known, job_id: str) -> _Patching:
        """One entry; what became of it where it is now as it was sent."""
        image = each.image
        if _file_changed(image, before):
            self._count(impossible=1)
            return None
        for last in (False, True):  # once more where somebody else was faster
            try:
                asset = None
                if self._closed is None:
                    asset = yield from self._library.find(system_name, image.id)
                if asset is None:
                    break
                if properties := _properties(image, before, asset):
                    yield from self._patch(asset, properties)
                    yield Patched(image.id, tuple(properties), job_id)
                    self._count(patched=1)
            except LdimportError as error:
                if error.code == "conflict" and not last:
                    continue
                if (said := self._refused(error, image)) is not None:
                    yield said
                break
            return Result(image.id, Status.SUCCESS, image.file_name, None, asset)
        self._count(refused=1)
        return None

    def _patch(self, asset: Asset, properties: Mapping[str, Json]) -> Generator[None, None, None]:
        target = self._library.account.target
        media_id, version = asset.media_id, asset.version
        yield from self._library.pace.ask(lambda: target.patch(media_id, properties, version))

    def _refused(self, error: LdimportError, image: Image) -> Notice | None:
        """What to say of a refusal: of one entry's (400, 404, 409), or of all."""
        if isinstance(error, InvalidRequestError) or error.code in ("not-found", "conflict"):
            return Notice("not-updated", f"{image.id} could not be updated: {error.message}")
        if self._closed is not None:
            return None
        if not isinstance(error, ConfigError) and error.code != "refused":
            raise error  # it may pass: the job stays open, and a later run does it
        self._closed = error
        text = f"no entry is updated: {error.message}"
        return Notice("not-updated", text)

    def _count(self, **more: int) -> None:
        self.done = added(Updates, (self.done, Updates(**more)))


def _file_changed(image: Image, before: Known) -> bool:
    """Whether more changed than metadata and name."""
    fields = changed_fields(before.parts, image) if before.parts else []
    return bool(NOT_PATCHED.intersection(fields)) or (
        unsigned(before.source_url or image.url) != unsigned(image.url)
    )


def _properties(image: Image, before: Known, asset: Asset) -> dict[str, Json]:
    """The properties to set, those to remove as None: what was sent, where the library has it not;
    what was sent before and is no more; and a title, where the name of the file is one."""
    has, said = asset.metadata, dict(image.metadata)
    if "title" not in said and has.get("title") == before.file_name:
        said["title"] = image.file_name
    found = {name: value for name, value in said.items() if has.get(name) != value}
    if before.parts:
        gone = changed_fields(before.parts, image, has)
        found |= {name: None for name in has if name in gone and name not in said}
    return found
