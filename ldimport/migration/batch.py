"""Batches: images on their way, and what goes into one POST."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from json.encoder import encode_basestring_ascii
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from ldimport import wire
from ldimport.model import (
    BATCH_KEY,
    MAX_CONTEXT_BYTES,
    Image,
    ImportRequest,
    JobOptions,
    Json,
)
from ldimport.targets.base import BatchLimits
from ldimport.wire import rendered


class Sent(NamedTuple):
    """What is recorded of an image under way and its outcome: much less than all of ``Outgoing``,
    of which there may be 16,000."""

    id: str
    row: int
    fingerprint: bytes
    content: bytes
    parts: bytes
    file_name: str
    url: str


class Outgoing(NamedTuple):
    """One image on its way: ``body`` is its entry as it is sent, ``fingerprint`` tells whether the
    row was edited since, ``content`` whether the target's answer is about this content;
    ``original`` is the row of the manifest with all its columns."""

    image: Image
    row: int
    line: int
    body: bytes
    fingerprint: bytes
    content: bytes
    original: Mapping[str, Json]

    @classmethod
    def of(
        cls,
        image: Image,
        row: int = 0,
        line: int = 0,
        original: Mapping[str, Json] | None = None,
        stamp: tuple[int, int] | None = None,
    ) -> Outgoing:
        """Rendered once, for its size, its digests and the request; ``stamp`` is a local file's."""
        body, said = rendered(image, unsigned(image.url))
        content = hashlib.sha256(said).digest()
        return cls(image, row, line, body, fingerprint(content, stamp), content, original or {})

    @property
    def size(self) -> int:
        """Bytes in the request body, with the comma."""
        return len(self.body) + 1

    @property
    def sent(self) -> Sent:
        """What is recorded of it."""
        image = self.image
        digests = (self.fingerprint, self.content, parts(image))
        return Sent(image.id, self.row, *digests, image.file_name, image.url)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the images of one batch share."""

    system_name: str
    webhook: str | None = None
    context: Mapping[str, Json] | None = None

    def request(self, images: Iterable[Outgoing] = ()) -> ImportRequest:
        """The request that carries these images."""
        images = tuple(images)
        return ImportRequest(
            self.system_name,
            tuple(each.image for each in images),
            self.webhook,
            self.context,
            tuple(each.body for each in images),
        )

    def marked(self, key: str) -> Envelope:
        """With the key of its batch in the context that the webhook is sent, where that fits and
        the user has no such word there."""
        context = dict(self.context or {})
        named = {**context, BATCH_KEY: key}
        fits = len(wire.encode(named)) <= MAX_CONTEXT_BYTES
        if self.webhook is None or BATCH_KEY in context or not fits:
            return self
        return replace(self, context=named)

    def unmarked(self, key: str) -> Envelope:
        """As it was before it was ``marked`` with this key."""
        context = dict(self.context or {})
        if context.get(BATCH_KEY) != key:
            return self
        del context[BATCH_KEY]
        return replace(self, context=context or None)

    @property
    def size(self) -> int:
        """Bytes of the request body without its images."""
        return len(wire.request_body(self.marked("0" * 32).request()))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch comes from: manifest as shown, its absolute path, and in which form it was
    written (JSON), where that is known."""

    manifest: str
    path: str
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """Images that go into one batch, with all that the batch needs; ``archive`` is the number of
    their target and systemName in the state file. ``instead_of`` is the number of the batch whose
    job was lost, where this is what became of it."""

    archive: int
    envelope: Envelope
    options: JobOptions
    origin: Origin
    images: tuple[Outgoing, ...]
    instead_of: int | None = None

    @property
    def request(self) -> ImportRequest:
        """The body of its POST."""
        return self.envelope.request(self.images)

    @property
    def rows(self) -> tuple[int, int]:
        """The first and the last row of the manifest in it."""
        rows = [each.row for each in self.images]
        return min(rows), max(rows)

    def parted(self, at: int) -> list[Parcel]:
        """Two: one of the first so many images, and one of the rest."""
        return [replace(self, images=part) for part in (self.images[:at], self.images[at:])]

    def marked(self, key: str) -> Parcel:
        """As it is sent under this key."""
        return replace(self, envelope=self.envelope.marked(key))

    def unmarked(self, key: str) -> Parcel:
        """What was sent under this key, to be sent under another."""
        return replace(self, envelope=self.envelope.unmarked(key))

    def halves(self) -> list[Parcel]:
        """Two of half the size."""
        return self.parted(len(self.images) // 2)

    def without(self, left_out: Container[int]) -> Parcel:
        """The same but for the images with these numbers (from 0)."""
        rest = (each for n, each in enumerate(self.images) if n not in left_out)
        return replace(self, images=tuple(rest))


class _Sized(Protocol):
    @property
    def size(self) -> int: ...


_SizedT = TypeVar("_SizedT", bound=_Sized)


def cut(
    images: Iterable[_SizedT], envelope_size: int, limits: Callable[[], BatchLimits]
) -> Iterator[tuple[list[_SizedT], int]]:
    """Group images into batches within ``limits``, each with the bytes of its body. An image
    that is larger than a whole batch goes alone; the target will say so. The limits are asked
    for each batch: a target may learn on the way that less fits."""
    batch: list[_SizedT] = []
    total, most = envelope_size, limits()
    for each in images:
        size = each.size
        if batch and (len(batch) >= most.images or total + size > most.bytes):
            yield batch, total
            batch, total, most = [], envelope_size, limits()
        batch.append(each)
        total += size
    if batch:
        yield batch, total


# -- when is an entry the same as the one sent before? -----------------------------------------

_SIGNATURE = re.compile(
    r"^(?:x-amz-.*|x-goog-.*|signature|expires|sig|se|st|sp|sv|sr|awsaccesskeyid|googleaccessid"
    r"|key-pair-id|policy|token)$",
    re.IGNORECASE,
)


def unsigned(url: str) -> str:
    """``url`` without the parameters that a presigned URL changes every time it is made."""
    if "?" not in url:
        return url
    parts = urlsplit(url)
    kept = [p for p in parts.query.split("&") if not _SIGNATURE.match(p.split("=", 1)[0])]
    return urlunsplit(parts._replace(query="&".join(kept)))


_DIGEST = 4
"""Bytes of a field's name and of its value, each; only ever used to tell a person."""


def parts(image: Image) -> bytes:
    """Short digests of the fields of an entry, kept to tell later which of them changed."""
    return b"".join(chain.from_iterable(_parts(image).items()))


def changed_fields(before: bytes, image: Image, names: Iterable[str] = ()) -> list[str]:
    """Which fields of ``image`` differ from what ``parts`` told of it before; ``names`` are
    properties that may have been there and are no more."""
    old, new = split_parts(before), _parts(image)
    known = {part_key(name): name for name in (*names, *image.metadata)}
    known = {key: f"metadata.{name}" if name in _CORE else name for key, name in known.items()}
    known |= {part_key(name, core=True): name for name in _CORE}
    changed = [key for key, value in new.items() if old.get(key) != value]
    gone = [key for key in old if key not in new]
    return [known.get(key, "another field") for key in (*changed, *gone)]


def split_parts(kept: bytes) -> dict[bytes, bytes]:
    """What ``parts`` put together: digest of a field's name -> digest of its value."""
    size = 2 * _DIGEST
    places = range(0, len(kept), size)
    return {kept[at : at + _DIGEST]: kept[at + _DIGEST : at + size] for at in places}


@lru_cache(maxsize=1_024)
def part_key(name: str, *, core: bool = False) -> bytes:
    """The digest of a property's name, or of one of the ``core`` fields (``mediaType``)."""
    return _digest(name if core else f"metadata.{name}")


def part_value(value: Json) -> bytes:
    """The digest of a value. Photographers, places and the like come over and over."""
    if type(value) is str:
        return _text_again(value) if len(value) < _COMES_AGAIN else _of_text(value)
    return _digest(_as_json(value))


def _parts(image: Image) -> dict[bytes, bytes]:
    """By the digest of its name that of each field's value."""
    found = {
        _URL: part_value(unsigned(image.url)),
        _FILE_NAME: part_value(image.file_name),
        _MEDIA_TYPE: part_value(image.media_type),
    }
    for name, value in image.metadata.items():
        found[part_key(name)] = part_value(value)
    return found


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_DIGEST]


def _of_text(text: str) -> bytes:
    return hashlib.sha256(encode_basestring_ascii(text).encode()).digest()[:_DIGEST]


_as_json = json.JSONEncoder(sort_keys=True, default=dict).encode
_text_again = lru_cache(maxsize=4_096)(_of_text)
_COMES_AGAIN = 40
"""Characters that such texts have at most."""
_CORE = ("url", "fileName", "mediaType")
_URL, _FILE_NAME, _MEDIA_TYPE = (part_key(name, core=True) for name in _CORE)


def content_digest(name: str, kind: str | None, metadata: dict[str, Json], url: str) -> bytes:
    """``Outgoing.content`` of an entry whose url is not signed."""
    return hashlib.sha256(wire.said(name, kind, metadata, url)).digest()


def fingerprint(content: bytes, stamp: tuple[int, int] | None) -> bytes:
    """The digest ``content`` itself; for a local file together with its ``stamp`` (size, mtime
    in ns)."""
    if stamp is None:
        return content
    return hashlib.sha256(b"%b %d %d" % (content, *stamp)).digest()
