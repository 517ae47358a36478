"""Which files that came with an archive the user has agreed to, as ``direnv allow`` has it.

A project file may have been written by somebody else. What it says of where tokens go, which
private addresses are open and where files are written counts only once the user has agreed to it,
and only while its content is the same. So does a webhook that a manifest names itself.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ldimport.errors import ConfigError, UsageError
from ldimport.files import NewFile
from ldimport.system import DISK, FORBIDDEN, durable_folder, full_disk


class UntrustedError(ConfigError, code="untrusted-file"):
    """``file`` asks for what needs the user's agreement; ``asked`` are the settings as texts."""

    def __init__(self, file: Path, digest: str, asked: Mapping[str, str]) -> None:
        super().__init__(
            f"{file} sets {', '.join(asked)}, and you have not agreed to what it says now",
            hint=f"if you know who wrote it: ldimport config trust {shlex.quote(str(file))}",
            facts=asked,
        )
        self.file, self.digest = file, digest


def digest_of(text: str) -> str:
    """What is remembered of a text agreed to."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _place(file: Path) -> str:
    """Where a file stands. A link to one agreed to stands elsewhere: its paths mean others."""
    return str(file.parent.resolve() / file.name)


@dataclass(frozen=True, slots=True)
class TrustedFiles:
    """The files agreed to, kept in the user's own ``path``."""

    path: Path

    def all(self) -> dict[str, str]:
        """Digest by path; of a file that cannot be understood nothing, so that it is asked anew."""
        with suppress(OSError, ValueError, AttributeError):
            found = json.loads(self.path.read_text("utf-8"))
            return {str(file): str(digest) for file, digest in found.items()}
        return {}

    def hold(self, file: Path, digest: str) -> bool:
        """Whether the user has agreed to this content of ``file``."""
        return self.all().get(_place(file)) == digest

    def add(self, file: Path, digest: str) -> None:
        """Agree. Raises ConfigError when that cannot be remembered."""
        self._write({**self.all(), _place(file): digest})

    def remove(self, file: Path) -> bool:
        """Take it back; False when there is nothing to take back."""
        found = self.all()
        if found.pop(_place(file), None) is None:
            return False
        self._write(found)
        return True

    def _write(self, found: Mapping[str, str]) -> None:
        try:
            durable_folder(self.path.parent)
            with NewFile(self.path) as file:
                file.write(json.dumps(found, indent=2) + "\n")
        except OSError as error:
            why = error.strerror or str(error)
            passes = error.errno in DISK and error.errno not in FORBIDDEN
            text = f"{self.path} cannot be written: {why}"
            raise full_disk(self.path.parent, why) if passes else ConfigError(text) from error
        except UsageError as error:  # another path would do, but there is none
            raise ConfigError(error.message) from error
