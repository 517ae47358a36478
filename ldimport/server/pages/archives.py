"""Archives of a state file: what somebody else tells of them, as pages."""

from urllib.parse import urlencode

from starlette.responses import Response

from ldimport.server.pages.view import PageRequest
from ldimport.server.responses import no_such

BUSY, IDLE = 2, 10
"""Seconds between two looks while something is under way, and while nothing is."""


def overview(look: PageRequest) -> Response:
    """All archives."""
    assert look.archives is not None
    document = look.archives.overview()
    shown = []
    for each in document["archives"]:
        query = urlencode({"target": each["target"], "system": each["systemName"]})
        shown.append({**each, "href": f"/migration/archive?{query}"})
    busy = any(each["totals"]["pending"] for each in shown)
    return look.page("archives.html", document, archives=shown, every=BUSY if busy else IDLE)


def one(look: PageRequest) -> Response:
    """The archive that the query names."""
    assert look.archives is not None
    target, name = look.text("target"), look.text("system")
    found = look.archives.archive(target, name)
    if found is None:
        raise no_such(f"archive {name}")
    local = look.engine.uuid in target
    return look.page("archive.html", found, local=local, every=BUSY if found["underWay"] else IDLE)
