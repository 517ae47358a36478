"""The metadata of one media type: each value by its property, and whether all of them may be
together."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from ldimport.cells import Writing
from ldimport.errors import near
from ldimport.model import Json
from ldimport.mojibake import disguised, is_whole
from ldimport.schema.coerce import PLAIN
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.dates import FIELD
from ldimport.schema.findings import BadValue, Finding, listed, sample
from ldimport.schema.jsonschema import media_type_schema
from ldimport.schema.properties import ValueShape
from ldimport.schema.values import EMPTY, ValueCheck, decider


class MetadataCheck:
    """Metadata of one media type, coerced and checked. ``common`` are fields that are filled for
    rows of any media type: left out where this one lacks them; ``left_out`` remembers which."""

    def __init__(
        self,
        config: ProjectConfig,
        media_type: MediaType,
        writings: Mapping[str, Writing] | None = None,
        common: Collection[str] = (),
    ) -> None:
        self.media_type = media_type
        self.common = {name.removeprefix("metadata.") for name in common} - {*media_type.properties}
        self.left_out: set[str] = set()
        self.values = {
            handle: ValueCheck(each, config, (writings or {}).get(f"metadata.{handle}", PLAIN))
            for handle, each in media_type.properties.items()
        }
        self.required = {h for h, each in media_type.properties.items() if each.required}
        self._fillable = media_type.fillable
        schema = media_type_schema(config, media_type)
        schema.pop("required", None)  # asked by hand: fileName may stand for a title
        self._decider = decider(schema)

    def quick(self, metadata: Mapping[str, Json], *, textual: bool) -> dict[str, Json] | None:
        """The stored values of metadata that nothing at all is to be said about, else None."""
        stored: dict[str, Json] = {}
        for handle, value in metadata.items():
            check = self.values.get(handle)
            if check is None:
                if handle not in self.common:
                    return None
                self.left_out.add(handle)
                continue
            if type(value) is str and value and check.any_text is not None:
                if len(value) > check.any_text or not is_whole(value):
                    return None
            elif type(value) is str and value:
                if not check.accepts(value, textual=textual):
                    return None
                value = check.value(value, textual=textual)
            else:
                with suppress(BadValue):
                    value = check.read(value, textual=textual) if check.translates else value
                if value in EMPTY or next(check.findings(value), None) is not None:
                    return None
            stored[handle] = value
        return stored if self.required <= stored.keys() else None

    def is_plain(self, metadata: Mapping[str, Json]) -> bool:
        """Whether stored values are texts of which only the length counts, and none lacks: there
        are no findings then."""
        for handle, value in metadata.items():
            check = self.values.get(handle)
            most = None if check is None else check.any_text
            if most is None or type(value) is not str or not 0 < len(value) <= most:
                return False
            if not is_whole(value):
                return False
        return self.required <= metadata.keys()

    def coerced(
        self, metadata: Mapping[str, Json], *, textual: bool
    ) -> tuple[dict[str, Json], list[tuple[str, Finding]]]:
        """Values as they are stored, and what could not be read, each with its handle."""
        found: dict[str, Json] = {}
        bad: list[tuple[str, Finding]] = []
        for handle, value in metadata.items():
            check = self.values.get(handle)
            if check is None and handle in self.common:
                self.left_out.add(handle)
                continue
            is_text = check is None or check.property.shape is ValueShape.TEXT
            if value is None or (value == "" and not is_text):
                continue
            if check is None:
                found[handle] = value
                continue
            try:
                read = check.read(value, textual=textual)
                if value == "" or read not in ("", None):
                    found[handle] = read
            except BadValue as error:
                text = f"{check.field}: {error.message}"
                hint = error.hint.replace(FIELD, check.field)
                bad.append((handle, Finding(error.code, text, hint, value=sample(str(value)))))
        return found, bad

    def findings(
        self,
        metadata: Mapping[str, Json],
        *,
        has_title: bool,
        skip: frozenset[str] = frozenset(),
        extracts: bool = True,
    ) -> Iterator[tuple[str, Finding]]:
        """All findings, each with its handle. ``has_title``: there is a fileName; ``skip``:
        handles that something was found about already; ``extracts``: what the file's own metadata
        has is still to come."""
        for handle, check in self.values.items():
            if handle in self.required and metadata.get(handle) in EMPTY and handle not in skip:
                fills = extracts and handle in self._fillable
                yield handle, check.missing(has_title=has_title and handle == "title", fills=fills)
        if not self._decider.is_valid(metadata):
            yield from self._wrong(metadata)
            return
        for handle, value in metadata.items():
            yield from ((handle, each) for each in self.values[handle].odd(value))

    def _wrong(self, metadata: Mapping[str, Json]) -> Iterator[tuple[str, Finding]]:
        for handle, value in metadata.items():
            check = self.values.get(handle)
            if check is None:
                yield handle, self._unknown(handle)
            elif not (check.property.required and value in EMPTY):
                yield from ((handle, each) for each in check.findings(value))

    def _unknown(self, handle: str) -> Finding:
        has = f"it has: {listed(self.values)}" if self.values else "it has none"
        guess = near(handle, self.values)
        text = (
            f"media type “{self.media_type.handle}” has no property “{handle}”{disguised(handle)}"
        )
        return Finding("unknown-property", text, f"did you mean {guess}? {has}" if guess else has)
