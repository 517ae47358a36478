"""``--write-valid`` and ``--write-invalid``: the manifest's rows, told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.manifest.write import RowWriter, row_of

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import Validation
    from ldimport.schema.check import Checked


class Rows:
    """Rows with all their columns, in the dialect of the manifest where it is one file. ``valid``
    says which ones; the others get ``_problem`` and ``_problems``, which reading skips."""

    def __init__(self, path: Path, manifest: Manifest, *, valid: bool) -> None:
        like = manifest.files[0].detected if len(manifest.files) == 1 else None
        self._writer = RowWriter(path, like=like)
        self.file = self._writer.file
        self.every_row = valid

    def add(self, checked: Checked) -> None:
        """Write the row if it is one of ours."""
        if (checked.image is not None) is self.every_row:
            problems = () if self.every_row else checked.problems
            self._writer.add(row_of(replace(checked.entry, problems=problems)))

    def finish(self, found: Validation) -> None:
        """Write the rest of the file."""
        self._writer.finish()

    def discard(self) -> None:
        """Remove what is not committed."""
        self._writer.discard()
