"""Which files a manifest is: files, folders, patterns, standard input."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

from ldimport.errors import ManifestError, TemporaryError, UsageError
from ldimport.manifest.detect import named_format

STDIN = "-"
_NOT_MANIFESTS = ("ldimport.", "project-config.")
_FORMATS_HINT = "a manifest ends in .csv, .tsv, .json, .jsonl, .yaml (or that and .gz, .zst)"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file is still the same: device, inode, size, time of change (ns)."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Raises OSError."""
        found = os.stat(path)  # noqa: PTH116  a path as given
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: ``path`` as opened, ``name`` as shown, ``given`` as the user named it."""

    path: str
    name: str
    given: str
    stamp: Stamp

    def check_unchanged(self) -> None:
        """Raises ManifestError when the file is no longer the one that was opened."""
        try:
            same = Stamp.of(self.path) == self.stamp
        except OSError:
            same = False
        if not same:
            raise ManifestError(
                f"{self.name} changed while it was being read",
                hint="run the command again when nothing writes to it any more",
                code="changed",
            )


def find_files(path: str) -> Iterator[SourceFile]:
    """Every file that ``path`` means: itself, those in a folder or matching a pattern, sorted;
    ``-`` is standard input, copied to a temporary file that the caller removes. Raises
    UsageError for what is not there, ManifestError for a folder without manifests."""
    if path == STDIN:
        yield spool()
    elif Path(path).is_dir():
        yield from map(_source, _in_folder(path))
    elif not Path(path).exists() and glob.has_magic(path):
        yield from map(_source, _matching(path))
    else:
        yield _source(path)


def spool(stream: BinaryIO | None = None) -> SourceFile:
    """Copy standard input to a temporary file, since a manifest is read more than once. The
    caller removes it. Raises TemporaryError when there is no room for it."""
    with tempfile.NamedTemporaryFile(prefix="ldimport-stdin-", delete=False) as file:
        try:
            shutil.copyfileobj(stream or sys.stdin.buffer, file)
            file.flush()
        except BaseException as error:
            Path(file.name).unlink()
            if not isinstance(error, OSError):
                raise
            reason = (error.strerror or str(error)).lower()
            raise TemporaryError(
                f"standard input cannot be copied to {Path(file.name).parent}: {reason}",
                hint="make room there, set TMPDIR, or give a file",
                code="spool",
            ) from error
    return SourceFile(file.name, "stdin", STDIN, Stamp.of(file.name))


def _in_folder(folder: str) -> list[str]:
    found = sorted(str(path) for path in Path(folder).iterdir() if _may_be_manifest(path))
    if not found:
        raise ManifestError(f"{folder} holds no manifest", hint=_FORMATS_HINT, code="no-manifest")
    return found


def _may_be_manifest(path: Path) -> bool:
    hidden = path.name.startswith((".", "_", *_NOT_MANIFESTS))
    return path.is_file() and not hidden and named_format(path.name) is not None


def _matching(pattern: str) -> list[str]:
    found = sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())  # noqa: PTH207
    if not found:
        raise UsageError(f"{pattern}: no file matches", code="no-such-file")
    return found


def _source(path: str) -> SourceFile:
    try:
        stamp = Stamp.of(path)
        if not Path(path).is_file():
            raise ManifestError(
                f"{path} is not a file",
                hint="pipe it in, and give - as the manifest",
                code="not-a-manifest",
            )
        with open(path, "rb"):  # noqa: PTH123  a path as given
            pass
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise _missing(path) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} cannot be read: {reason}", code="unreadable") from error
    return SourceFile(path, path, path, stamp)


def _missing(path: str) -> UsageError:
    folder = Path(path).parent
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    near = get_close_matches(Path(path).name, names, n=1, cutoff=0.75)
    hint = f"did you mean {folder / near[0]}?" if near else None
    return UsageError(f"{path}: no such file", hint=hint, code="no-such-file")
