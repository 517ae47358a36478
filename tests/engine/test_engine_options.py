"""What Livingdocs' documents leave open is decided by options, of a job or of the engine."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from origins import Open, Origin, image, picture, request

from ldimport import __version__
from ldimport.causes import known_cause
from ldimport.engine import Engine
from ldimport.engine.webhooks import DeliveryAttempt, Sender
from ldimport.errors import ConfigError, UsageError
from ldimport.model import (
    ImageType,
    ImportRequest,
    JobOptions,
    Json,
    Limits,
    Nulls,
    Result,
    Status,
    Variants,
)
from ldimport.wire import asset_to_json

CERTIFICATES = Path(__file__).parents[1] / "client" / "certificates"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>'


def ended(engine: Engine, asked: ImportRequest, **changed: object) -> Result:
    """The result of one image, under the engine's own options but for these."""
    options = replace(engine.options, **changed)  # type: ignore[arg-type]
    job = engine.submit(asked, options=options)
    engine.run()
    (result,) = engine.status(job).results
    return result


# -- as whom images are fetched ------------------------------------------------------------


def test_an_origin_is_told_who_asks(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    assert ended(engine, request(image("1", url))).status is Status.SUCCESS
    assert ended(engine, request(image("2", url)), user_agent="Tagblatt/2 (+archive)").asset
    assert origin.agents == [f"ldimport/{__version__}", "Tagblatt/2 (+archive)"]


def test_a_403_names_who_asked_and_what_to_do(engine: Engine, origin: Origin) -> None:
    url, origin.only_for = origin.put("a.jpg", picture()), "Mozilla/5.0"
    refused = ended(engine, request(image("1", url)), user_agent="archive-bot")
    assert (refused.cause, refused.reason) == (
        "origin-403", "origin answered 403 to the User-Agent “archive-bot”")  # fmt: skip
    known = known_cause(refused.cause or "")
    assert known is not None and "--user-agent" in known.hint and "userAgent" in known.hint
    assert "user" not in known_cause("origin-404").hint  # type: ignore[union-attr]
    assert ended(engine, request(image("1", url)), user_agent="Mozilla/5.0").asset


@pytest.mark.parametrize("text", ["a\r\nCookie: x", "a\x00", "Zürich", ""])
def test_a_name_that_is_no_header_is_refused_at_once(engine: Engine, text: str) -> None:
    with pytest.raises(UsageError, match="user_agent"):
        engine.submit(
            request(image("1", "https://a.example/")), options=JobOptions(user_agent=text)
        )


# -- whose certificates count --------------------------------------------------------------


@pytest.fixture
def secure(origin: Origin) -> Origin:
    """The origin over TLS, with a certificate that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "valid.pem")
    origin.server.socket = context.wrap_socket(origin.server.socket, server_side=True)
    return origin


def test_a_file_of_certificates_is_kept_with_the_job(
    engine: Engine, secure: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    url = secure.put("a.jpg", picture()).replace("http:", "https:")
    refused = ended(engine, request(image("1", url)))
    known = known_cause(refused.cause or "")
    assert known is not None and "caFile" in known.hint and "SSL_CERT_FILE" in known.hint
    ca_file = str(CERTIFICATES / "valid.pem")
    assert ended(engine, request(image("1", url)), ca_file=ca_file).status is Status.SUCCESS


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder"])
def test_a_file_that_holds_no_certificates_is_named_before_anything_is_accepted(
    engine: Engine, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "no certificate")
    with pytest.raises(ConfigError, match="caFile names") as caught:
        ended(engine, request(image("1", "https://a.example/")), ca_file=str(path))
    assert str(path) in caught.value.message and "PEM" in (caught.value.hint or "")
    assert not engine.has_open()


# -- what is taken -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "data"), [("a.svg", SVG), ("a.gif", picture("GIF"))])
def test_a_format_that_is_not_taken_is_refused_by_its_bytes(
    engine: Engine, origin: Origin, name: str, data: bytes
) -> None:
    url, kind = origin.put(name, data), name[-3:]
    two = (ImageType.PNG, ImageType.JPG)
    refused = ended(engine, request(image("1", url)), formats=two)
    assert refused.cause == f"{kind}-not-accepted"
    assert refused.reason == f"{kind} is not accepted here, only png, jpg"
    assert ended(engine, request(image("1", url))).status is Status.SUCCESS


def test_limits_are_those_of_the_engine_that_accepted(open_engine: Open, origin: Origin) -> None:
    url = origin.put("a.jpg", picture(size=(40, 30)))
    small = open_engine(limits=Limits(max_pixels=1_000))
    assert ended(small, request(image("1", url))).cause == "too-many-pixels"


# -- null ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nulls", "stored"),
    [
        (Nulls.CLEAR, {"credit": "Me", "title": "Picture 1"}),
        (Nulls.KEEP, {"credit": "Me", "caption": None, "title": "Picture 1"}),
        (Nulls.REFUSE, None),
    ],
)
def test_null_counts_as_absent_is_kept_or_refused(
    engine: Engine, origin: Origin, nulls: Nulls, stored: Json
) -> None:
    asked = image("1", origin.put("a.jpg", picture()), metadata={"caption": None, "credit": "Me"})
    result = ended(engine, request(asked), nulls=nulls)
    entry = engine.find("archive", "1")
    assert (None if entry is None else entry.metadata) == stored
    if nulls is Nulls.REFUSE:
        assert (result.cause, result.reason) == (
            "invalid-metadata", "Invalid metadata: caption must not be null")  # fmt: skip
    else:
        assert ended(engine, request(asked), nulls=nulls).status is Status.SKIPPED


def test_a_null_clears_what_was_there(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    ended(engine, request(image("1", url, metadata={"caption": "Old"})))
    ended(engine, request(image("1", url, metadata={"caption": None})))
    entry = engine.find("archive", "1")
    assert entry is not None and dict(entry.metadata) == {"title": "Picture 1"}


# -- what results show ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variants", "behind", "service"),
    [
        (Variants.FORMAT, "?format=auto", "ldimport"),
        (Variants.AUTO, "&auto=format", "ldimport"),
        (Variants.NONE, "", None),
    ],
)
def test_how_the_url_of_a_result_is_made(
    open_engine: Open, origin: Origin, variants: Variants, behind: str, service: str | None
) -> None:
    engine = open_engine(variants=variants, public_url="https://pictures.example/")
    asset = ended(engine, request(image("1", origin.put("a.jpg", picture())))).asset
    assert asset is not None and asset.url == asset.original_url + behind
    assert asset.original_url.startswith("https://pictures.example/api/v1/images/picture-1?id=")
    assert asset_to_json(asset).get("imageService") == service
    assert engine.original(asset.url.partition("id=")[2]) is not None


@pytest.mark.parametrize("wanted", [True, False])
def test_the_storage_key_stands_in_results_if_it_is_wanted(
    open_engine: Open, origin: Origin, wanted: bool
) -> None:
    engine = open_engine(key_in_results=wanted)
    asset = ended(engine, request(image("1", origin.put("a.jpg", picture())))).asset
    entry = engine.find("archive", "1")
    assert asset is not None and entry is not None
    assert asset_to_json(asset).get("key") == (entry.asset.key if wanted else None)


def test_lenient_holds_for_changes_of_an_entry_too(open_engine: Open, origin: Origin) -> None:
    long = [{"operation": "setMetadataProperty", "propertyName": "caption", "value": "x" * 41}]
    options = JobOptions((origin.host,), lenient=True)
    engine = open_engine(options=options)
    result = ended(engine, request(image("1", origin.put("a.jpg", picture()))))
    assert result.asset is not None
    changed = engine.patch_media(result.asset.media_id, long)
    assert changed.metadata["caption"] == "x" * 41


def test_a_webhook_over_tls_names_the_way_and_trusts_the_file_of_its_job(
    engine: Engine, secure: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    hook, tries = f"https://{secure.host}/hook", list[DeliveryAttempt]()
    for ca_file in (None, str(CERTIFICATES / "valid.pem")):
        asked = request(image("1", f"http://{secure.host}/none"), webhook=hook)
        engine.submit(asked, options=replace(engine.options, ca_file=ca_file))
    engine.run()
    sender = Sender(engine.store, on_attempt=tries.append)
    sender.start()
    sender.end(20.0)
    first, second = sorted(tries, key=lambda each: each.status or 0)
    assert "caFile" in first.note and "SSL_CERT_FILE" in first.note
    assert second.status == 501  # the origin takes no POST, but it was reached
