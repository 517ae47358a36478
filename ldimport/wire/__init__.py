"""The API's JSON <-> model, every dialect, both ways, once."""

from __future__ import annotations

from ldimport.wire.answers import Dialect as Dialect
from ldimport.wire.answers import asset_from_json as asset_from_json
from ldimport.wire.answers import counts_to_json as counts_to_json
from ldimport.wire.answers import envelope as envelope
from ldimport.wire.answers import error_details as error_details
from ldimport.wire.answers import error_to_json as error_to_json
from ldimport.wire.answers import notification_to_json as notification_to_json
from ldimport.wire.answers import optional as optional
from ldimport.wire.answers import quota_from_json as quota_from_json
from ldimport.wire.answers import quota_to_json as quota_to_json
from ldimport.wire.answers import result_from_json as result_from_json
from ldimport.wire.answers import result_to_json as result_to_json
from ldimport.wire.answers import status_from_json as status_from_json
from ldimport.wire.answers import status_to_json as status_to_json
from ldimport.wire.request import check_request as check_request
from ldimport.wire.request import encode as encode
from ldimport.wire.request import image_body as image_body
from ldimport.wire.request import options_from_json as options_from_json
from ldimport.wire.request import options_to_json as options_to_json
from ldimport.wire.request import rendered as rendered
from ldimport.wire.request import request_body as request_body
from ldimport.wire.request import request_from_json as request_from_json
