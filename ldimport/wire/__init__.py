"""The API's JSON <-> model, every dialect, both ways, once."""

from __future__ import annotations

from ldimport.wire.entry import image_body, image_content
from ldimport.wire.refusal import (
    error_details,
    error_to_json,
    notification_to_json,
    quota_from_json,
    quota_to_json,
)
from ldimport.wire.request import (
    check_request,
    encode,
    image_to_json,
    options_from_json,
    options_to_json,
    request_body,
    request_from_json,
    request_to_json,
)
from ldimport.wire.status import (
    LOST_TEXT,
    Dialect,
    asset_from_json,
    asset_to_json,
    counts_to_json,
    result_from_json,
    result_to_json,
    status_from_json,
    status_to_json,
)

__all__ = [
    "LOST_TEXT",
    "Dialect",
    "asset_from_json",
    "asset_to_json",
    "check_request",
    "counts_to_json",
    "encode",
    "error_details",
    "error_to_json",
    "image_body",
    "image_content",
    "image_to_json",
    "notification_to_json",
    "options_from_json",
    "options_to_json",
    "quota_from_json",
    "quota_to_json",
    "request_body",
    "request_from_json",
    "request_to_json",
    "result_from_json",
    "result_to_json",
    "status_from_json",
    "status_to_json",
]
