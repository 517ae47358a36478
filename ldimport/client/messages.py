"""One call of the API and its raw answer, as transport and answers share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ldimport.errors import TemporaryError


@dataclass(frozen=True, slots=True)
class ApiCall:
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
class ApiAnswer:
    """What came back, whole. ``headers`` are by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class UnavailableError(TemporaryError):
    """It may work in a moment. ``arrived``: the server may have acted on the request;
    ``retry_after``: seconds it asked to wait."""

    def __init__(
        self, message: str, *, arrived: bool, retry_after: float | None = None, **others: Any
    ) -> None:
        super().__init__(message, **others)
        self.arrived = arrived
        self.retry_after = retry_after
