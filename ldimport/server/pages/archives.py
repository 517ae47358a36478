"""Archives of a state file: what somebody else tells of them, as pages."""

from starlette.responses import Response

from ldimport.server.pages.view import Look
from ldimport.server.responses import no_such


def overview(look: Look) -> Response:
    """All archives."""
    assert look.archives is not None
    return look.page("archives.html", look.archives.overview(), every=2)


def one(look: Look) -> Response:
    """The archive that the query names."""
    assert look.archives is not None
    target, name = look.text("target"), look.text("system")
    found = look.archives.archive(target, name)
    if found is None:
        raise no_such(f"archive {name}")
    return look.page("archive.html", found, every=2)
