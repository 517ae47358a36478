"""From a task and its bytes to an outcome: what is checked, stored and filled in, and what
counts as changed (docs/architecture.md, "Promises").

Changed is what the request says (url, fileName, mediaType, metadata as sent) or the bytes; what
the file's own metadata filled in is not compared.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ldimport.causes import Cause, known_cause
from ldimport.engine import records
from ldimport.engine.blobs import Blobs, BlobWriter
from ldimport.engine.records import ImportOutcome, ImportTask, KnownMedia, NewBytes, Validators
from ldimport.errors import LdimportError, Rejected
from ldimport.media.inspect import inspect, is_markup
from ldimport.media.protocol import Work
from ldimport.media.sandbox import Examined, Sandbox
from ldimport.model import Facts, Image, ImageType, Integrity, Json, Nulls, Status
from ldimport.net.exchange import USER_AGENT
from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched, Postponed
from ldimport.net.files import read_below
from ldimport.net.guard import Guard
from ldimport.schema.check import metadata_reasons
from ldimport.schema.extraction import Completed, complete
from ldimport.system import scarce
from ldimport.url import is_http_url
from ldimport.wire import rendered

PATIENCE = 1.0
"""Seconds for which the child is waited for at a time, so that leases are looked after."""
MOST_DEATHS = 3
"""An image over which so many workers died or hung is not tried again."""

_INVALID = "Invalid metadata: "

_log = logging.getLogger(__name__)

Found = TypeVar("Found")
_Then = Callable[[Examined], ImportOutcome]
"""What is left to do with an image once the child has examined it."""


@dataclass(frozen=True, slots=True)
class _Note:
    """Something to note about an image that is imported all the same, and about what of it."""

    code: str
    about: str = ""

    @property
    def text(self) -> str:
        known = known_cause(self.code)
        meaning = known.meaning if known else self.code
        return f"{meaning}: {self.about}" if self.about else meaning


def fingerprint(image: Image) -> str:
    """What is compared to tell a changed request from the same one."""
    return hashlib.sha256(rendered(image)[1]).hexdigest()


class ImageImporter:
    """Carries out tasks under one job's terms. Keeps connections and the decoding child, which
    examines images while others are fetched: those that are with it have no outcome yet, and come
    out of ``examined`` and ``rest``. ``lease_seconds`` is how long these terms let a lease last;
    ``hold`` is told which task is being carried out here (None: none)."""

    def __init__(
        self,
        terms: records.Terms,
        blobs: Blobs,
        writer: BlobWriter,
        hold: Callable[[ImportTask | None], None] = lambda _: None,
    ) -> None:
        self.lease_seconds = terms.limits.lease_seconds
        self._terms = terms
        self._blobs = blobs
        self._writer = writer
        self._hold = hold
        options = terms.options
        self._fetcher = Fetcher(
            terms.limits,
            Guard(options.allow_hosts),
            ca_file=options.ca_file,
            user_agent=options.user_agent or USER_AGENT,
            scratch=blobs.scratch,
            hold=hold,
        )
        self._sandbox = Sandbox(terms.limits)
        self._with_child: dict[int, tuple[ImportTask, _Then]] = {}

    def close(self) -> None:
        """End connections and the child."""
        self._fetcher.close()
        self._sandbox.close()
        self._with_child.clear()

    def refused(self, task: ImportTask) -> ImportOutcome | None:
        """The outcome of a task that has stopped the worker too often, or whose metadata violates
        the project config, before any fetch."""

        def check() -> None:
            if task.deaths >= MOST_DEATHS:
                raise Rejected(Cause.STOPPED_WORKER, f"stopped the worker {task.deaths} times")
            if reasons := self._reasons(task.image, extracts=True):
                texts = (reason.removeprefix(_INVALID) for reason in reasons)
                raise Rejected(Cause.INVALID_METADATA, _INVALID + "; ".join(texts))

        return self._guarded(task, check)

    @staticmethod
    def is_local(task: ImportTask) -> bool:
        """Whether the url is a path below the job's folders."""
        return not is_http_url(task.image.url)

    def local(self, task: ImportTask) -> Iterator[ImportOutcome]:
        """Carry out a task whose url is a path."""
        return self._out(self._guarded(task, lambda: self._read_file(task)))

    def fetch(
        self, tasks: Iterable[ImportTask | None], stop: Callable[[], bool]
    ) -> Iterator[ImportOutcome | ImportTask]:
        """Carry out tasks with a URL, as their answers come in; tasks are taken lazily (None: there
        are none for the moment). What is with the child at the end is left there. A task that comes
        out itself was not tried, since its host stalls. After ``stop`` the rest has no outcome."""
        sources = (task and self._source(task) for task in tasks)
        for answer in self._fetcher.fetch_many(sources, stop):
            task = answer.source.tag
            assert isinstance(task, ImportTask)
            if isinstance(answer, Postponed):
                yield task
                continue
            yield from self._out(self._guarded(task, lambda: self._answered(task, answer)))  # noqa: B023

    def _out(self, outcome: ImportOutcome | None) -> Iterator[ImportOutcome]:
        """An outcome, if there is one; and others, when the child has enough to do."""
        if outcome:
            yield outcome
        if self._sandbox.is_full:
            yield from self.examined(PATIENCE)

    def examined(self, seconds: float = 0) -> Iterator[ImportOutcome]:
        """What became of images that were with the child, as far as it is through with them; the
        first of them is waited for so many seconds."""
        for ticket, found in self._sandbox.ended(seconds).items():
            task, then = self._with_child.pop(ticket)
            yield self._guarded(task, lambda: then(found))  # noqa: B023

    def rest(self, stop: Callable[[], bool]) -> Iterator[ImportOutcome]:
        """The same of all that are with it, until ``stop``."""
        while self._with_child and not stop():
            yield from self.examined(PATIENCE)

    def _guarded(self, task: ImportTask, step: Callable[[], Found]) -> Found | ImportOutcome:
        """One image fails alone, whatever happens to it; only errors of the run (disk full)
        pass."""
        self._hold(task)
        try:
            return step()
        except Rejected as rejected:
            return _rejected(task, rejected)
        except LdimportError:
            raise
        except Exception as error:
            if short := scarce(error):
                raise short from error
            _log.exception("image %s of %s", task.image.id, task.system_name)
            text = f"a bug in ldimport: {type(error).__name__}: {error}"
            return _rejected(task, Rejected(Cause.BUG, text))
        finally:
            self._hold(None)

    def _reasons(self, image: Image, *, extracts: bool = False) -> tuple[str, ...]:
        options = self._terms.options
        refused = _nulls(image) if options.nulls is Nulls.REFUSE else {}
        config, lenient = self._terms.config, options.lenient
        found = metadata_reasons(config, image, lenient=lenient, extracts=extracts)
        return (*(f"{name} must not be null" for name in refused), *found)

    def _source(self, task: ImportTask) -> FetchSource:
        """Conditional when the same url was fetched before and its bytes are still here."""
        known, url = task.known, task.image.url
        here = known is not None and known.url == url and self._has(known)
        etag, last_modified = known.validators if known and here else (None, None)
        return FetchSource(url, etag, last_modified, tag=task)

    def _read_file(self, task: ImportTask) -> ImportOutcome | None:
        options, limits = self._terms.options, self._terms.limits
        try:
            body = read_below(options.allow_files, task.image.url, limits.max_bytes)
        except Rejected as rejected:
            return _without_bytes(task, rejected)
        return self._with_bytes(task, body, (None, None))

    def _answered(self, task: ImportTask, answer: Fetched | NotFetched) -> ImportOutcome | None:
        if isinstance(answer, NotFetched):
            return _without_bytes(task, answer.rejected)
        if answer.not_modified and task.known is not None:
            etag, last_modified = task.known.validators
            now = (answer.etag or etag, answer.last_modified or last_modified)
            return self._same_bytes(task, task.known, now)
        return self._with_bytes(
            task, answer.body, (answer.etag, answer.last_modified), answer.notes
        )

    def _with_bytes(
        self,
        task: ImportTask,
        body: bytes,
        validators: Validators,
        notes: tuple[str, ...] = (),
    ) -> ImportOutcome | None:
        known, source_sha256 = task.known, hashlib.sha256(body).hexdigest()
        if known and known.source_sha256 == source_sha256 and self._has(known):
            return self._same_bytes(task, known, validators)
        facts = None if is_markup(body) else inspect(body, self._terms.limits)
        then = partial(self._new_bytes, task, body, source_sha256, facts, validators, notes)
        return self._examine(task, body, facts, self._work(task.image, facts), then)

    def _work(self, image: Image, facts: Facts | None) -> Work:
        """What the child has to do with new bytes; markup (no facts) is read there alone."""
        if facts is None:
            return Work.SANITISE
        work = Work.METADATA if self._pairs(image) else Work(0)
        full = facts.notes or self._terms.options.integrity is Integrity.FULL
        return work | Work.DECODE if full else work

    def _examine(
        self, task: ImportTask, data: bytes, facts: Facts | None, work: Work, then: _Then
    ) -> ImportOutcome | None:
        if not work:
            return then(Examined())
        self._with_child[self._sandbox.begin(data, facts, work)] = task, then
        return None

    def _new_bytes(
        self, task: ImportTask, body: bytes, source_sha256: str, facts: Facts | None,
        validators: Validators, notes: tuple[str, ...], found: Examined,
    ) -> ImportOutcome:  # fmt: skip
        if found.refused:
            raise found.refused
        data = body if facts else found.safe
        facts = facts or found.facts
        assert facts
        self._check_format(facts)
        completed = self._complete(task.image, found.metadata)
        sha256 = self._writer.put(data, source_sha256 if data is body else None)
        new = NewBytes(sha256, source_sha256, len(data), facts)
        told = [_Note(code) for code in (*notes, *facts.notes)]
        return _succeeded(task, completed, new, validators, told)

    def _same_bytes(
        self, task: ImportTask, known: KnownMedia, validators: Validators
    ) -> ImportOutcome | None:
        if known.request == fingerprint(task.image):
            return _skipped(task, validators)

        def then(found: Examined) -> ImportOutcome:
            return _succeeded(task, self._complete(task.image, found.metadata), None, validators)

        if not self._pairs(task.image) or known.facts.type is ImageType.SVG:
            return then(Examined())
        return self._examine(task, self._stored(known), known.facts, Work.METADATA, then)

    def _has(self, known: KnownMedia) -> bool:
        return self._blobs.size(known.sha256) is not None

    def _stored(self, known: KnownMedia) -> bytes:
        with self._blobs.open(known.sha256) as file:
            return file.read()

    def _check_format(self, facts: Facts) -> None:
        """Raises Rejected ``…-not-accepted`` for one that this job does not take."""
        taken = self._terms.options.formats
        if facts.type not in taken:
            why = Cause.FORMAT_NOT_ACCEPTED.with_(format=facts.type)
            reason = f"{facts.type} is not accepted here, only {', '.join(taken)}"
            raise Rejected(why, reason)

    def _pairs(self, image: Image) -> tuple[tuple[str, str], ...]:
        return self._terms.config.media_types[image.media_type or ""].exif

    def _complete(self, image: Image, extracted: Mapping[str, Json]) -> Completed:
        """What was sent, completed from what its file has (``extracted``) and from fileName by
        values that the config admits. Raises Rejected if something required lacks."""
        media_type = self._terms.config.media_types[image.media_type or ""]
        pairs, precedence = media_type.exif, self._terms.options.exif_precedence
        if not pairs and ("title" not in media_type.properties or image.metadata.get("title")):
            return Completed(dict(image.metadata), {}, ())
        completed = complete(
            image, media_type.properties, pairs, extracted, precedence,
            lambda candidate: not self._reasons(replace(image, metadata=candidate), extracts=True),
        )  # fmt: skip
        left_out = "; ".join(completed.unfit)
        if pairs and (reasons := self._reasons(replace(image, metadata=completed.metadata))):
            unfit = f"what its file has does not fit: {left_out}"
            why = unfit if completed.unfit else "its file has none"
            raise Rejected(Cause.INVALID_METADATA, f"{_INVALID}{'; '.join(reasons)}; {why}")
        return completed


def _nulls(image: Image) -> dict[str, Json]:
    return {name: None for name, value in image.metadata.items() if value is None}


def _succeeded(
    task: ImportTask,
    completed: Completed,
    new: NewBytes | None,
    validators: Validators,
    notes: Sequence[_Note] = (),
) -> ImportOutcome:
    request, (metadata, filled, unfit) = fingerprint(task.image), completed
    if unfit:
        notes = [*notes, _Note(Cause.METADATA_LEFT_OUT.code, "; ".join(unfit))]
    told = "; ".join(each.text for each in notes) or None
    code = notes[0].code if notes else None
    return ImportOutcome(
        task, Status.SUCCESS, told, code, metadata, new, request, validators, filled
    )


def _skipped(task: ImportTask, validators: Validators) -> ImportOutcome:
    reason = records.ALREADY_EXISTS
    return ImportOutcome(task, Status.SKIPPED, reason, validators=validators)


def _rejected(task: ImportTask, rejected: Rejected) -> ImportOutcome:
    return ImportOutcome(task, Status.FAILED, rejected.reason, rejected.code)


def _without_bytes(task: ImportTask, rejected: Rejected) -> ImportOutcome:
    """The source gives nothing: an entry that is here and unchanged stays as it is, a changed
    request fails and leaves the old asset alone."""
    if task.known is not None and task.known.request == fingerprint(task.image):
        return _skipped(task, task.known.validators)
    return _rejected(task, rejected)
