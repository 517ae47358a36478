"""The terms under which a job was accepted, as JSON in the catalogue and back.

Whichever process works on a job obeys these, not its own settings.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldimport.model import JobOptions, Limits

if TYPE_CHECKING:
    from ldimport.schema.config import ProjectConfig


@dataclass(frozen=True, slots=True)
class Terms:
    """Project config, options and limits of a job."""

    config: ProjectConfig
    options: JobOptions
    limits: Limits


def limits_to_json(limits: Limits) -> str:
    """As it stands in the catalogue."""
    return json.dumps(dataclasses.asdict(limits), sort_keys=True)


def limits_from_json(text: str) -> Limits:
    """Read it back; limits that this version does not know are left out."""
    known = {field.name for field in dataclasses.fields(Limits)}
    return Limits(**{name: value for name, value in json.loads(text).items() if name in known})
