"""The user's mapping against the project: what it knows of columns, and what is wrong with it
before any row is read."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ldimport.errors import near
from ldimport.manifest.mapping import FieldMap, Mistake, mapping_error
from ldimport.manifest.names import FIELDS, PREFIX, ProjectNames, folded
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.findings import listed
from ldimport.schema.options import Options
from ldimport.schema.words import Words


def settled(mapping: FieldMap, config: ProjectConfig) -> FieldMap:
    """The mapping with what the project has. Raises one ManifestError about every mistake in it."""
    if found := [*mistakes(mapping, config)]:
        raise mapping_error(found)
    types = config.media_types.items()
    known = ProjectNames(
        {kind: {handle: each.labels for handle, each in found.properties.items()}
         for kind, found in types},
        config.default_media_type,
        {folded(label): kind for kind, each in types for label in (*each.labels, kind)},
    )  # fmt: skip
    named = Words(config, mapping.writings)
    constants = dict(mapping.constants)
    if "mediaType" in constants:
        constants["mediaType"] = named.kind(constants["mediaType"])
    by_type = {named.kind(kind): own for kind, own in mapping.by_type.items()}
    return replace(
        mapping, known=known, handles=known.handles, constants=constants, by_type=by_type
    )


def mistakes(mapping: FieldMap, config: ProjectConfig) -> Iterator[Mistake]:
    """What is wrong whatever the manifest holds: handles, media types and values that the project
    does not have, formats that are none."""
    yield from mapping.faults
    yield from _of(mapping, config, config.media_types)
    for kind, own in mapping.by_type.items():
        handle = Words(config, {}).kind(kind)
        yield from own.faults
        if handle in config.media_types:
            yield from _of(own, config, {handle: config.media_types[handle]})
        else:
            yield _no_type(mapping.origins.get(f"mediaTypes.{kind}", kind), kind, config)


def _of(
    mapping: FieldMap, config: ProjectConfig, kinds: Mapping[str, MediaType]
) -> Iterator[Mistake]:
    handles = {handle: kind for kind in kinds.values() for handle in kind.properties}
    filled = (mapping.columns, mapping.templates, mapping.constants, mapping.writings)
    for name in dict.fromkeys(name for part in filled for name in part):
        where = mapping.origins.get(name, name)
        if name not in FIELDS and (handle := name.removeprefix(PREFIX)) not in handles:
            yield _no_property(where, handle, handles, config)
        elif name in mapping.writings:
            yield from _values(mapping, name, where, kinds, config)
    kind = mapping.constants.get("mediaType")
    if kind and Words(config, mapping.writings).kind(kind) not in config.media_types:
        yield _no_type(mapping.origins.get("mediaType", "mediaType"), kind, config)


def _values(
    mapping: FieldMap, name: str, where: str, kinds: Mapping[str, MediaType], config: ProjectConfig
) -> Iterator[Mistake]:
    """What is meant has to be something there is."""
    meant = [each for each in mapping.writings[name].values.values() if each]
    if name == "mediaType":
        known = Words(config, {})
        for word in meant:
            if known.kind(word) not in config.media_types:
                yield _no_type(where, word, config)
        return
    found = [each for kind in kinds.values()
             if (each := kind.properties.get(name.removeprefix(PREFIX))) is not None]  # fmt: skip
    listings = [
        Options(each.options)
        for each in found
        if each.options is not None and each.plugin in ("li-enum", "li-string-list")
    ]
    if listings and len(listings) == len(found):
        for word in meant:
            if all(each.find(word) is None for each in listings):
                yield Mistake(where, f"“{word}” is not in the list", listings[0].hint(word))


def _no_property(
    where: str, handle: str, handles: Mapping[str, MediaType], config: ProjectConfig
) -> Mistake:
    has = f"it has: {listed(handles)}" if handles else "it has none"
    guess = near(handle, [*handles, *FIELDS])
    hint = f"did you mean {guess}? {has}" if guess else has
    return Mistake(where, f"the project has no property “{handle}”", hint + _own(config))


def _no_type(where: str, word: str, config: ProjectConfig) -> Mistake:
    has = f"it has: {listed(config.media_types)}"
    guess = near(word, config.media_types)
    hint = f"did you mean {guess}? {has}" if guess else has
    return Mistake(where, f"the project has no media type “{word}”", hint + _own(config))


def _own(config: ProjectConfig) -> str:
    return "; --project-config names your own" if config.is_default else ""
