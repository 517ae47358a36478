"""A manifest with everything that decides what would be sent from it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ldimport.cells import Writing
from ldimport.errors import ConfigError, LdimportError, Rejected, UsageError
from ldimport.local_names import locate_below
from ldimport.manifest import Manifest, ReadOptions, name_fault, open_manifest
from ldimport.manifest.streams import RowsOfFile
from ldimport.migration.batch import Envelope, Origin, Outgoing
from ldimport.migration.mapping import settled
from ldimport.model import Entry, JobOptions, Json, Problem, Severity
from ldimport.schema.check import Checked, Checker, CheckOptions
from ldimport.schema.config import ProjectConfig
from ldimport.schema.identity import Unique
from ldimport.schema.separators import decide, undecided
from ldimport.url import is_relative, without_secrets

DEFAULT_SYSTEM_NAME = "local"
_ARCHIVE = "_systemName"


@dataclass(frozen=True, slots=True)
class Source:
    """A manifest, the project config it is checked against, and how its images are sent.

    ``name_is_default``: nobody named the archive. ``folder``: where relative urls are files, or
    None when they are not.
    """

    manifest: Manifest
    config: ProjectConfig
    check: CheckOptions
    envelope: Envelope
    options: JobOptions
    name_is_default: bool
    folder: Path | None

    @property
    def origin(self) -> Origin:
        """The manifest as it is shown, and the absolute path of its files."""
        paths = (str(Path(file.path).resolve()) for file in self.manifest.files)
        form = self.manifest.form
        dialect = None if form is None else form.text
        return Origin(self.manifest.name, os.pathsep.join(paths), dialect)

    def checker(self, *, again: bool = False) -> Checker:
        """A new checker: each pass over the manifest needs its own; ``again``: for rows whose ids
        were found to be unique."""
        return Checker(self.config, self.check, Unique() if again else None)

    @property
    def table(self) -> RowsOfFile | None:
        """The fast way through the manifest; None where each row may say of which archive it is."""
        table = self.manifest.table
        return None if table is None or _ARCHIVE in table.names else table

    def checked(self, checker: Checker, entry: Entry) -> Checked:
        """A row, checked. One that says that it is of another archive, as rows of several are
        written (``results --all --as-manifest``), has an error."""
        checked = checker.check(entry)
        named = entry.original.get(_ARCHIVE)
        own = self.envelope.system_name
        if checked.image is None or named in (None, "", own):
            return checked
        shown = without_secrets(str(named))[:120]
        problem = Problem(
            Severity.ERROR,
            "row-of-other-archive",
            entry.place._replace(column=1),
            _ARCHIVE,
            f"the row is of the archive “{shown}”, and this is “{own}”",
            "submit the rows of each archive by themselves: --system-name NAME --valid-only",
            checked.entry.id,
            value=shown,
        )
        return checked._replace(image=None, problems=(*checked.problems, problem))

    def outgoing(self, checked: Checked) -> Outgoing:
        """The image of a valid row, ready to be put into a batch."""
        image = checked.image
        assert image is not None
        entry = checked.entry
        stamp = self._stamp(image.url)
        return Outgoing.of(image, entry.place.row, entry.place.line, entry.original, stamp)

    def _stamp(self, url: str) -> tuple[int, int] | None:
        if self.folder is None or not is_relative(url):
            return None
        try:
            found = locate_below(self.folder, url).stat()
        except (OSError, Rejected):
            return (-1, -1)  # absent now; when it appears, the row counts as edited
        return (found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What options and config ask for, as far as a manifest is concerned. ``system_name`` is the
    option's, ``fallback_name`` the one of environment or config."""

    system_name: str | None = None
    fallback_name: str | None = None
    webhook: str | None = None
    context: Mapping[str, Json] | None = None
    base_url: str | None = None
    read: ReadOptions | None = None
    lenient: bool = False
    strict: bool = False


def open_source(
    paths: Sequence[str | Path],
    config: ProjectConfig,
    wishes: Wishes,
    options: JobOptions,
    *,
    local: bool,
) -> Source:
    """Open the manifest and settle how its images are sent. ``local``: for the embedded engine,
    where relative urls are files and the archive need not be named. Raises UsageError when no
    systemName is known or two differ, ManifestError for a mistake in the mapping, and what
    ``open_manifest`` raises."""
    read = wishes.read or ReadOptions()
    read = replace(read, columns=settled(read.columns, config))
    manifest = open_manifest(paths, read)
    try:
        writings = _writings(manifest, config, read.columns.writings)
        name, is_default = _system_name(manifest, wishes, local)
    except LdimportError:
        manifest.close()
        raise
    folder = manifest.folder.resolve() if local and wishes.base_url is None else None
    check = CheckOptions(
        lenient=wishes.lenient,
        strict=wishes.strict,
        folder=folder,
        base_url=wishes.base_url,
        writings=writings,
        by_type={kind: own.writings for kind, own in read.columns.by_type.items()},
        common=manifest.common,
    )
    context = wishes.context if wishes.context is not None else manifest.header.context
    envelope = Envelope(name, wishes.webhook or manifest.header.webhook, context)
    files = () if folder is None else (str(folder),)
    options = replace(options, allow_files=files, lenient=wishes.lenient)
    return Source(manifest, config, check, envelope, options, is_default, folder)


def _writings(
    manifest: Manifest, config: ProjectConfig, writings: Mapping[str, Writing]
) -> dict[str, Writing]:
    """With the separator of each list column that nobody named one for: every pass over the
    manifest, of any command, reads its lists alike."""
    found = dict(writings)
    fields = undecided(config, writings)
    for column in decide(manifest.cells(fields)) if fields else ():
        written = found.get(column.field, Writing())
        found[column.field] = replace(written, separator=column.sign)
        if column.remark:
            manifest.note("list-separator", column.remark)
    return found


def _system_name(manifest: Manifest, wishes: Wishes, local: bool) -> tuple[str, bool]:
    own = manifest.header.system_name
    if wishes.system_name and own and wishes.system_name != own:
        raise UsageError(
            f"--system-name is “{wishes.system_name}”, but {manifest.name} says “{own}”",
            hint="leave --system-name out, or change the manifest: the name is an image's "
            "identity for ever",
            code="system-name",
        )
    name = wishes.system_name or own or wishes.fallback_name
    if name and (fault := name_fault(name)):
        kind = UsageError if wishes.system_name else ConfigError
        raise kind(
            f"systemName “{name}” {fault}",
            hint="it names this archive for ever; write it plainly",
            code="system-name",
        )
    if name:
        return name, False
    if local:
        return DEFAULT_SYSTEM_NAME, True
    raise UsageError(
        "the archive has no systemName",
        hint="give it one: --system-name NAME, or systemName in ldimport.yaml; it names this "
        "archive for ever",
        code="system-name",
    )
