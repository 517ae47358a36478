"""What becomes of an image: created, updated, skipped, failed."""

from __future__ import annotations

import binascii
import gzip
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from invariants import assert_sound
from origins import XMP, Origin, image, picture, request

from ldimport.engine import Engine, import_image
from ldimport.engine.blobs import BlobFolder
from ldimport.errors import LdimportError, StateFileError, TemporaryError
from ldimport.model import (
    Counts,
    ImportRequest,
    Integrity,
    JobOptions,
    JobState,
    JobStatus,
    Result,
    Status,
)

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect onclick="a()"/></svg>'


def ended(engine: Engine, asked: ImportRequest, options: JobOptions | None = None) -> JobStatus:
    """Submit, run, and the status at the end."""
    job_id = engine.submit(asked, options=options)
    engine.run()
    return engine.status(job_id)


def only(status: JobStatus) -> Result:
    """The one result of a job that ran."""
    assert status.state is JobState.SUCCESS
    (result,) = status.results
    return result


def test_a_new_image_is_created_with_all_its_facts(engine: Engine, origin: Origin) -> None:
    data = picture(size=(123, 45))
    url = origin.put("a.jpg", data)
    engine.public_url = "https://pictures.example/base/"
    result = only(ended(engine, request(image("1", url, file_name="Größe & Müll.jpg"))))
    assert (result.status, result.external_id) == (Status.SUCCESS, "1")
    assert result.title == "Größe & Müll.jpg"
    asset = result.asset
    assert asset is not None
    assert (asset.width, asset.height, asset.mime_type) == (123, 45, "image/jpeg")
    assert asset.image_service == "ldimport"
    assert len(asset.media_id) == 12
    assert asset.media_id.isalnum()
    assert asset.original_url.startswith(
        "https://pictures.example/base/api/v1/images/grosse-mull-jpg?id="
    )
    assert asset.url == asset.original_url + "?format=auto"
    entry = engine.find("archive", "1")
    assert entry is not None
    assert (entry.id, entry.version, entry.media_type) == (asset.media_id, 1, "image")
    assert entry == engine.media(entry.id)
    stored = engine.original(parse_qs(urlsplit(asset.original_url).query)["id"][0])
    assert stored is not None
    with stored.open() as file:
        assert file.read() == data
    assert (stored.mime_type, stored.size) == ("image/jpeg", len(data))
    assert stored.etag == hashlib.sha256(data).hexdigest()
    assert stored == engine.original(entry.asset.key)


def test_results_stand_in_the_order_of_the_request(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.png", picture("PNG"))
    names = [f"n{n}" for n in range(70)]
    status = ended(engine, request(*(image(name, url) for name in names)))
    assert [result.external_id for result in status.results] == names


def test_the_same_request_again_is_skipped_with_its_asset(engine: Engine, origin: Origin) -> None:
    asked = request(image("1", origin.put("a.jpg", picture())))
    first, second = only(ended(engine, asked)), only(ended(engine, asked))
    assert (second.status, second.reason) == (Status.SKIPPED, "already exists")
    assert second.asset == first.asset
    entry = engine.find("archive", "1")
    assert entry is not None
    assert entry.version == 1


def test_an_unchanged_source_is_asked_conditionally(engine: Engine, origin: Origin) -> None:
    asked = request(image("1", origin.put("a.jpg", picture(), ETag='"v1"')))
    ended(engine, asked)
    assert only(ended(engine, asked)).status is Status.SKIPPED
    assert origin.hits == [("a.jpg", None), ("a.jpg", '"v1"')]


def test_validators_of_another_url_are_not_sent(engine: Engine, origin: Origin) -> None:
    data = picture()
    first, second = (origin.put(name, data, ETag='"v1"') for name in ("a.jpg", "b.jpg"))
    ended(engine, request(image("1", first)))
    moved = ended(engine, request(image("1", second, metadata={"caption": "moved"})))
    assert only(moved).status is Status.SUCCESS
    assert origin.hits == [("a.jpg", None), ("b.jpg", None)]


def test_new_validators_of_the_same_bytes_are_remembered(engine: Engine, origin: Origin) -> None:
    asked = request(image("1", origin.put("a.jpg", picture(), ETag='"v1"')))
    ended(engine, asked)
    origin.put("a.jpg", picture(), ETag='"v2"')
    assert only(ended(engine, asked)).status is Status.SKIPPED
    ended(engine, asked)
    assert origin.hits[-1] == ("a.jpg", '"v2"')


def test_changed_bytes_update_the_same_entry(engine: Engine, origin: Origin) -> None:
    asked = request(image("1", origin.put("a.jpg", picture(size=(10, 10)), ETag='"v1"')))
    first = only(ended(engine, asked))
    origin.put("a.jpg", picture("PNG", size=(20, 15)), ETag='"v2"')
    second = only(ended(engine, asked))
    assert second.status is Status.SUCCESS
    assert first.asset is not None
    assert second.asset is not None
    assert second.asset.media_id == first.asset.media_id
    assert (second.asset.width, second.asset.mime_type) == (20, "image/png")
    assert second.asset.original_url != first.asset.original_url


def test_an_old_result_stays_as_it_was(engine: Engine, origin: Origin) -> None:
    asked = request(image("1", origin.put("a.jpg", picture(size=(10, 10)))))
    job_id = engine.submit(asked)
    engine.run()
    before = engine.status(job_id)
    origin.put("a.jpg", picture(size=(30, 30)))
    ended(engine, asked)
    assert engine.status(job_id) == before


@pytest.mark.parametrize(
    "change",
    [
        {"file_name": "Another title"},
        {"metadata": {"caption": "new"}},
        {"media_type": "photo"},
    ],
)
def test_a_changed_request_updates_without_new_bytes(
    engine: Engine, origin: Origin, change: dict[str, object]
) -> None:
    url = origin.put("a.jpg", picture(), ETag='"v1"')
    first = only(ended(engine, request(image("1", url))))
    second = only(ended(engine, request(image("1", url, **change))))
    assert second.status is Status.SUCCESS
    assert first.asset is not None
    assert second.asset is not None
    assert second.asset.media_id == first.asset.media_id
    entry = engine.find("archive", "1")
    assert entry is not None
    assert entry.version == 2
    third = only(ended(engine, request(image("1", url, **change))))
    assert third.status is Status.SKIPPED


def test_another_url_with_the_same_bytes_is_a_change(engine: Engine, origin: Origin) -> None:
    data = picture()
    ended(engine, request(image("1", origin.put("a.jpg", data))))
    moved = request(image("1", origin.put("b.jpg", data)))
    assert only(ended(engine, moved)).status is Status.SUCCESS
    assert only(ended(engine, moved)).status is Status.SKIPPED


def test_metadata_with_keys_in_another_order_is_no_change(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    ended(engine, request(image("1", url, metadata={"caption": "c", "credit": "d"})))
    again = request(image("1", url, metadata={"credit": "d", "caption": "c"}))
    assert only(ended(engine, again)).status is Status.SKIPPED


def test_the_default_media_type_said_or_left_out_is_the_same(
    engine: Engine, origin: Origin
) -> None:
    url = origin.put("a.jpg", picture())
    ended(engine, request(image("1", url)))
    again = request(image("1", url, media_type="image"))
    assert only(ended(engine, again)).status is Status.SKIPPED


def test_a_vanished_source_of_an_unchanged_request_is_skipped(
    engine: Engine, origin: Origin
) -> None:
    asked = request(image("1", origin.put("a.jpg", picture())))
    first = only(ended(engine, asked))
    del origin.files["a.jpg"]
    second = only(ended(engine, asked))
    assert (second.status, second.asset) == (Status.SKIPPED, first.asset)


def test_a_vanished_source_of_a_changed_request_fails_and_leaves_the_entry(
    engine: Engine, origin: Origin
) -> None:
    url = origin.put("a.jpg", picture())
    ended(engine, request(image("1", url, metadata={"caption": "old"})))
    before = engine.find("archive", "1")
    del origin.files["a.jpg"]
    result = only(ended(engine, request(image("1", url, metadata={"caption": "new"}))))
    assert (result.status, result.asset) == (Status.FAILED, None)
    assert result.reason is not None
    assert "404" in result.reason
    assert engine.find("archive", "1") == before


def test_a_source_that_turned_into_something_else_fails_and_leaves_the_entry(
    engine: Engine, origin: Origin
) -> None:
    asked = request(image("1", origin.put("a.jpg", picture())))
    ended(engine, asked)
    before = engine.find("archive", "1")
    origin.put("a.jpg", b"<html>not here any more</html>")
    assert only(ended(engine, asked)).status is Status.FAILED
    assert engine.find("archive", "1") == before


def test_one_bad_image_fails_alone(engine: Engine, origin: Origin) -> None:
    good = origin.put("a.jpg", picture())
    cut = origin.put("cut.jpg", picture()[:-30])
    status = ended(
        engine,
        request(
            image("1", good),
            image("gone", origin.url("gone.jpg")),
            image("cut", cut),
            image("wrong", good, metadata={"caption": 7}),
            image("2", good),
        ),
    )
    assert status.state is JobState.SUCCESS
    words = [result.status.value for result in status.results]
    assert words == ["success", "failed", "failed", "failed", "success"]
    reasons = [result.reason or "" for result in status.results]
    assert "origin answered 404" in reasons[1]
    assert reasons[3].startswith("Invalid metadata: ")
    causes = [(result.cause, result.retryable) for result in status.results]
    assert causes == [
        (None, None),
        ("origin-404", False),
        ("truncated", False),
        ("invalid-metadata", False),
        (None, None),
    ]
    assert engine.progress(status.id) == Counts(2, 0, 3, 0)


def test_all_that_is_wrong_with_metadata_is_said_at_once(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    result = only(ended(engine, request(image("1", url, metadata={"caption": 7, "credit": 8}))))
    assert result.reason is not None
    assert result.reason.count("Invalid metadata: ") == 1
    assert "caption" in result.reason
    assert "credit" in result.reason
    assert origin.hits == []


def test_a_job_of_bad_images_ran_and_says_so_of_each(engine: Engine, origin: Origin) -> None:
    status = ended(engine, request(*(image(f"{n}", origin.url(f"{n}.jpg")) for n in range(40))))
    assert status.state is JobState.SUCCESS
    assert {result.status for result in status.results} == {Status.FAILED}
    assert all(result.reason and result.asset is None for result in status.results)


def test_a_job_that_cannot_be_tried_at_all_is_failed(engine: Engine, origin: Origin) -> None:
    job_id = engine.submit(request(image("1", origin.put("a.jpg", picture()))))
    with engine.store._catalogue.writing() as connection:
        connection.execute("UPDATE config SET body = '[]'")
    engine.run()
    assert engine.status(job_id).state is JobState.FAILED
    assert {each.cause for each in engine.store.jobs.results(job_id)} == {"job-not-possible"}
    assert engine.progress(job_id) == Counts(failed=1)
    assert not engine.has_open()


@pytest.mark.parametrize("error", [TemporaryError("no thread"), StateFileError("damaged")])
def test_a_machine_that_gives_no_more_fails_no_job(
    engine: Engine, origin: Origin, monkeypatch: pytest.MonkeyPatch, error: LdimportError
) -> None:
    job_id = engine.submit(request(image("1", origin.put("a.jpg", picture()))))

    def broken(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(import_image, "ImageImporter", broken)
        with pytest.raises(type(error)):
            engine.run()
    assert engine.status(job_id).state is JobState.STARTED
    engine.run()
    assert engine.progress(job_id) == Counts(success=1)


def test_an_address_that_is_not_allowed_is_named_with_the_way_out(
    engine: Engine, origin: Origin
) -> None:
    asked = request(image("1", origin.put("a.jpg", picture())))
    result = only(ended(engine, asked, JobOptions()))
    assert result.status is Status.FAILED
    assert "--allow-host" in (result.reason or "")
    assert origin.hits == []


def test_damage_inside_is_found_only_by_full_integrity(engine: Engine, origin: Origin) -> None:
    data = bytearray(picture("PNG", size=(60, 60)))
    at = data.index(b"IDAT") + 10
    data[at : at + 8] = bytes(8)
    length = int.from_bytes(data[data.index(b"IDAT") - 4 : data.index(b"IDAT")])
    begin = data.index(b"IDAT")
    crc = binascii.crc32(data[begin : begin + 4 + length])
    data[begin + 4 + length : begin + 8 + length] = crc.to_bytes(4)
    url = origin.put("a.png", bytes(data))
    found = {
        depth: only(
            ended(
                engine,
                request(image(depth, url)),
                JobOptions(allow_hosts=(origin.host,), integrity=depth),
            )
        ).status
        for depth in Integrity
    }
    assert found == {Integrity.FULL: Status.FAILED, Integrity.FAST: Status.SUCCESS}


def test_an_svg_is_read_in_the_limited_child_alone(
    engine: Engine, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("read in the worker")

    monkeypatch.setattr("ldimport.media.svg.SvgReader.read", read)
    digits = b"1" * 240
    hard = b'<svg viewBox="' + b" ".join([digits] * 4) + b'x"/>'
    wide = SVG.replace(b'width="20"', b'width="30000000"')
    many = SVG.replace(b'width="20" height="10"', b'width="6000" height="5000"')
    images = [image(name, origin.put(f"{name}.svg", data))
              for name, data in (("a", SVG), ("b", hard), ("c", wide), ("d", many))]  # fmt: skip
    results = ended(engine, request(*images)).results
    assert [result.cause for result in results] == [
        None, "svg-size", "svg-size", "too-many-pixels"]  # fmt: skip


def test_an_svg_is_stored_sanitised_and_still_recognised(engine: Engine, origin: Origin) -> None:
    asked = request(image("1", origin.put("a.svg", SVG)))
    result = only(ended(engine, asked))
    assert result.status is Status.SUCCESS
    assert result.asset is not None
    assert (result.asset.width, result.asset.height) == (20, 10)
    assert result.asset.mime_type == "image/svg+xml"
    entry = engine.find("archive", "1")
    assert entry is not None
    stored = engine.original(entry.asset.key)
    assert stored is not None
    with stored.open() as file:
        assert b"onclick" not in file.read()
    assert only(ended(engine, asked)).status is Status.SKIPPED
    assert_sound(engine)


def test_what_the_request_leaves_open_is_filled_from_the_file(
    engine: Engine, origin: Origin
) -> None:
    url = origin.put("a.jpg", picture(xmp=XMP))
    ended(engine, request(image("1", url, metadata={"credit": "Mine"})))
    entry = engine.find("archive", "1")
    assert entry is not None
    assert entry.metadata == {
        "credit": "Mine",
        "caption": "From the file",
        "title": "Picture 1",
    }
    again = request(image("1", url, metadata={"credit": "Mine"}))
    assert only(ended(engine, again)).status is Status.SKIPPED


def test_a_title_that_is_given_is_not_replaced_by_the_file_name(
    engine: Engine, origin: Origin
) -> None:
    url = origin.put("a.jpg", picture())
    ended(engine, request(image("1", url, metadata={"title": "Given", "credit": "Mine"})))
    entry = engine.find("archive", "1")
    assert entry is not None and entry.metadata["title"] == "Given"


def test_filling_also_happens_when_only_the_request_changed(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture(xmp=XMP), ETag='"v1"')
    ended(engine, request(image("1", url, metadata={"caption": "Sent"})))
    ended(engine, request(image("1", url)))
    assert origin.hits[-1] == ("a.jpg", '"v1"')
    entry = engine.find("archive", "1")
    assert entry is not None
    assert entry.metadata["caption"] == "From the file"


def test_a_lenient_job_checks_only_the_shape(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    long = request(image("1", url, metadata={"caption": "x" * 100}))
    assert only(ended(engine, long)).status is Status.FAILED
    lenient = JobOptions(allow_hosts=(origin.host,), lenient=True)
    assert only(ended(engine, long, lenient)).status is Status.SUCCESS


def test_equal_bytes_are_stored_once_with_entries_of_their_own(
    engine: Engine, origin: Origin
) -> None:
    data = picture()
    urls = [origin.put(f"{n}.jpg", data) for n in range(40)]
    status = ended(engine, request(*(image(f"{n}", url) for n, url in enumerate(urls))))
    assert len({result.asset.media_id for result in status.results if result.asset}) == 40
    blobs = [path for path in (engine.folder / "blobs").rglob("*") if path.is_file()]
    assert [path.name for path in blobs] == [hashlib.sha256(data).hexdigest()]


def test_a_blob_that_was_lost_is_fetched_again(engine: Engine, origin: Origin) -> None:
    data = picture()
    asked = request(image("1", origin.put("a.jpg", data, ETag='"v1"')))
    ended(engine, asked)
    sha256 = hashlib.sha256(data).hexdigest()
    blobs = BlobFolder(engine.folder)
    blobs.delete(sha256)
    result = only(ended(engine, asked))
    assert (result.status, blobs.size(sha256)) == (Status.SUCCESS, len(data))


def test_one_identity_in_two_systems_is_two_entries(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    first = only(ended(engine, request(image("1", url), system_name="one")))
    second = only(ended(engine, request(image("1", url), system_name="two")))
    assert first.asset is not None
    assert second.asset is not None
    assert second.status is Status.SUCCESS
    assert first.asset.media_id != second.asset.media_id


def test_a_pair_open_in_another_job_waits_for_it(engine: Engine, origin: Origin) -> None:
    old = origin.put("old.jpg", picture(size=(10, 10)))
    new = origin.put("new.jpg", picture(size=(20, 20)))
    names = [f"{n}" for n in range(50)]
    jobs = [
        engine.submit(request(*(image(name, url) for name in names))) for url in (old, new, new)
    ]
    engine.run(workers=2)
    statuses = [engine.status(job) for job in jobs]
    assert [[result.status for result in status.results] for status in statuses] == [
        [Status.SUCCESS] * 50,
        [Status.SUCCESS] * 50,
        [Status.SKIPPED] * 50,
    ]
    widths = [{result.asset.width for result in s.results if result.asset} for s in statuses]
    assert widths == [{10}, {20}, {20}]
    entry = engine.find("archive", "7")
    assert entry is not None
    assert (entry.version, entry.asset.width) == (2, 20)


def test_the_files_own_name_never_becomes_a_path(engine: Engine, origin: Origin) -> None:
    url = origin.put("a.jpg", picture())
    names = ["../../etc/passwd", "C:\\x", "a\x00b", ".", "x" * 1000, "\u202egpj.exe", "💥"]
    status = ended(
        engine, request(*(image(f"{n}", url, file_name=name) for n, name in enumerate(names)))
    )
    assert [result.title for result in status.results] == names
    for result in status.results:
        assert result.asset is not None
        path = urlsplit(result.asset.original_url).path
        assert set(path.rsplit("/", 1)[1]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    inside = {path.relative_to(engine.folder).parts[0] for path in engine.folder.rglob("*")}
    assert inside <= {"blobs", "tmp", "workers", "catalogue.sqlite", "catalogue.sqlite-wal",
                      "catalogue.sqlite-shm"}  # fmt: skip


def with_damaged_text(data: bytes) -> bytes:
    """A PNG with a text chunk whose checksum is wrong."""
    return data[:33] + b"\0\0\0\1tEXtx" + bytes(4) + data[33:]


@pytest.mark.parametrize("integrity", list(Integrity))
def test_what_is_odd_and_harmless_is_imported_with_a_note(
    engine: Engine, origin: Origin, integrity: Integrity
) -> None:
    odd = with_damaged_text(picture("PNG"))
    packed = origin.put("b.svg", gzip.compress(SVG), Content_Encoding="gzip")
    both = origin.put("c.png", gzip.compress(odd), Content_Encoding="gzip")
    images = (image("1", origin.put("a.png", odd)), image("2", packed), image("3", both))
    first, second, third = ended(
        engine, request(*images), JobOptions((origin.host,), integrity=integrity)
    ).results
    assert [each.status for each in (first, second, third)] == [Status.SUCCESS] * 3
    assert (first.cause, first.retryable) == ("damaged-chunk", False)
    assert "is damaged and was left aside" in str(first.reason)
    assert (second.cause, third.cause) == ("unpacked", "unpacked")
    assert str(third.reason).endswith(str(first.reason))


def test_what_is_odd_and_does_not_decode_fails_at_any_integrity(
    engine: Engine, origin: Origin
) -> None:
    broken = with_damaged_text(picture("PNG", (400, 300)))
    at = broken.index(b"IDAT")
    size = int.from_bytes(broken[at - 4 : at], "big")
    pixels = b"IDAT" + bytes(size)
    whole = (
        broken[:at] + pixels + binascii.crc32(pixels).to_bytes(4, "big") + broken[at + 8 + size :]
    )
    asked = request(image("1", origin.put("a.png", whole)))
    result = only(ended(engine, asked, JobOptions((origin.host,), integrity=Integrity.FAST)))
    assert (result.status, result.cause) == (Status.FAILED, "corrupt")
