"""One question to the API and its raw answer, as transport and answers share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ldimport.errors import TemporaryError


@dataclass(frozen=True, slots=True)
class Ask:
    """A request below ``/api/<version>/``. ``scope`` is what the token needs for it;
    ``repeatable`` whether it may be sent again when it may have arrived the first time."""

    method: str
    path: str
    scope: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    key: str | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. ``media_type`` is the Content-Type without parameters, in lower
    case; ``headers`` are by lower-case name."""

    status: int
    media_type: str
    headers: Mapping[str, str]
    body: bytes


class UnavailableError(TemporaryError):
    """It may work in a moment. ``arrived``: the server may have acted on the request;
    ``retry_after``: seconds it asked to wait."""

    def __init__(
        self,
        message: str,
        *,
        arrived: bool,
        code: str,
        hint: str | None = None,
        retry_after: float | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code, facts=facts)
        self.arrived = arrived
        self.retry_after = retry_after
