"""Is a webhook from whom it says: signatures by Standard Webhooks 1.0
(https://www.standardwebhooks.com), as our engine signs, and Livingdocs' own, which its documents
show for project webhooks: ``x-livingdocs-signature: sha256=…`` over the body."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence

from ldimport.errors import ConfigError
from ldimport.server.responses import Refusal

TOLERANCE = 300.0
"""Seconds that the moment of a signature may differ from our clock, to either side."""
LEAST = 16
"""Characters of a secret: a shorter one can be guessed."""
_PREFIX = "whsec_"


class Verifier:
    """Checks against each of ``secrets``; without one everything passes. Raises ConfigError for
    one that is too short."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if any(len(each.removeprefix(_PREFIX)) < LEAST for each in secrets):
            text = f"a webhook secret in LDIMPORT_WEBHOOK_SECRET has fewer than {LEAST} characters"
            hint = "give the one that the sender signs with; several are separated by blanks"
            raise ConfigError(text, hint=hint, code="bad-secret")
        self._texts = [each.encode() for each in secrets]
        self._keys = [key for each in secrets if (key := _key(each))]

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Raise Refusal 401 for what is not signed, wrongly signed, or signed too long ago."""
        if not self._texts:
            return
        ours = headers.get("webhook-signature")
        theirs = headers.get("x-livingdocs-signature")
        if ours is None and theirs is None:
            raise _refused("it is not signed")
        if theirs is not None and any(_same(theirs, each) for each in self._of_body(body)):
            return
        if ours is None or not any(
            _same(said, each)
            for said in ours.split()[:16]
            for each in self._of_message(headers, body)
        ):
            raise _refused("the signature is not right")
        moment = headers.get("webhook-timestamp", "")
        if not abs(int(moment) - now) <= TOLERANCE:
            raise _refused("it was signed too long ago, or a clock is wrong")

    def _of_body(self, body: bytes) -> Iterator[str]:
        for each in self._texts:
            yield f"sha256={hmac.new(each, body, hashlib.sha256).hexdigest()}"

    def _of_message(self, headers: Mapping[str, str], body: bytes) -> Iterator[str]:
        name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
            return
        message = f"{name}.{moment}.".encode("latin-1") + body
        for key in self._keys:
            digest = hmac.new(key, message, hashlib.sha256).digest()
            yield f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    """The bytes of a secret of Standard Webhooks; empty for a text that is none."""
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _same(said: str, right: str) -> bool:
    return hmac.compare_digest(said.encode("latin-1"), right.encode("latin-1"))


def _refused(why: str) -> Refusal:
    return Refusal(401, {"signature": why}, close=True)
