"""Project configs: what is read, from where, and everything that is wrong with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_projects import checked, entry, errors, project

from ldimport.errors import ConfigError
from ldimport.model import Json
from ldimport.schema import config

SMALLEST: Json = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [{"handle": "caption", "type": "li-text"}],
        }
    ]
}


def test_the_smallest_config_is_enough() -> None:
    found = config.from_json(SMALLEST)
    assert list(found.media_types["image"].properties) == ["caption"]
    assert found.default_media_type == "image" and found.warnings == ()


@pytest.mark.parametrize("body", [{}, {"mediaTypes": []}, {"mediaTypes": None}])
def test_without_media_types_the_documented_default_holds(body: Json) -> None:
    found = config.from_json(body)
    assert list(found.media_types["image"].properties) == [
        "title", "caption", "source", "description",
    ]  # fmt: skip


def test_types_for_videos_and_files_are_known_but_not_for_images() -> None:
    video: Json = {"handle": "video", "type": "mediaVideo", "metadata": []}
    assert isinstance(SMALLEST, dict) and isinstance(SMALLEST["mediaTypes"], list)
    found = config.from_json({"mediaTypes": [*SMALLEST["mediaTypes"], video]})
    assert list(found.media_types) == ["image"]
    problem = checked(found, entry(media_type="video")).problems[0]
    assert problem.code == "unknown-media-type" and "not for images" in problem.message


def test_the_projects_own_default_media_type_counts() -> None:
    types: Json = [
        {"handle": h, "type": "mediaImage", "metadata": []} for h in ("image", "archive")
    ]
    settings: Json = {"defaultMediaTypes": {"mediaImage": "archive"}}
    found = config.from_json({"mediaTypes": types, "settings": settings})
    image = checked(found, entry()).image
    assert image is not None and image.media_type == "archive"


MISTAKES: list[tuple[Json, str]] = [
    ([], "must be an object"),
    ({"mediaTypes": {}}, "mediaTypes must be a list"),
    ({"mediaTypes": ["image"]}, "mediaTypes.0 must be an object"),
    ({"mediaTypes": [{"type": "mediaImage"}]}, "mediaTypes.0.handle must be a text"),
    ({"mediaTypes": [{"handle": "image", "type": "image"}]}, "mediaTypes.0.type must be one of"),
    (
        {"mediaTypes": [{"handle": "image", "type": "mediaImage"}] * 2},
        "mediaTypes.1.handle “image” is used twice",
    ),
    (
        {"mediaTypes": [{"handle": "image", "type": "mediaImage", "metadata": {}}]},
        "mediaTypes.0.metadata must be a list",
    ),
    ({"settings": {"defaultMediaTypes": {"mediaImage": "photo"}}}, "no media type “photo”"),
]


@pytest.mark.parametrize(("body", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_place(body: Json, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_json(body, origin="project-config.json")
    assert message in caught.value.message and "project-config.json" in caught.value.message
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("plugin", "settings", "place"),
    [
        ("li-text", {"maxLength": "200"}, "config.maxLength must be a whole number"),
        ("li-text", {"maxLength": -1}, "config.maxLength must be a whole number"),
        ("li-text", {"required": "yes"}, "config.required must be true or false"),
        ("li-text", {"minLength": 9, "maxLength": 3}, "config.minLength is larger than maxLength"),
        ("li-integer", {"minValue": 9, "maxValue": 3}, "config.minValue is larger than maxValue"),
        ("li-enum", {}, "config.dataProvider is missing"),
        ("li-enum", {"dataProvider": {"items": ["a"]}}, "config.dataProvider.items must be a list"),
        ("li-named-crops", {"namedCrops": ["wide"]}, "config.namedCrops must be a list"),
    ],
)
def test_limits_that_make_no_sense_are_told(
    plugin: str, settings: dict[str, Json], place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        project(one=(plugin, settings))
    assert place in caught.value.message


def test_all_mistakes_are_told_at_once_but_not_thousands() -> None:
    metadata: Json = [{"handle": f"h-{n}", "type": "li-enum"} for n in range(50)]
    types: Json = [{"handle": "image", "type": "mediaImage", "metadata": metadata}]
    with pytest.raises(ConfigError) as caught:
        config.from_json({"mediaTypes": types}, origin="big.json")
    assert caught.value.message == "big.json: 50 mistakes"
    assert len(caught.value.facts) == 21 and "30 more" in caught.value.facts["…"]


def test_mistakes_stand_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_json({"mediaTypes": [{"handle": "a", "type": "x"}, 4, {}]})
    assert [path.split(".")[1] for path in caught.value.facts] == ["0", "1", "2", "2"]


def test_what_is_worth_knowing_is_a_warning() -> None:
    image: Json = {
        "handle": "image",
        "type": "mediaImage",
        "metadata": [{"handle": "vision", "type": "li-google-vision"}],
        "exifExtraction": {"mappings": [{"field": "Title", "metadataPropertyName": "titel"}]},
        "deletionRoutine": {"enabled": True, "filters": []},
    }
    told = "\n".join(config.from_json({"mediaTypes": [image]}).warnings)
    assert "removed in release-2026-07" in told
    assert "“titel”, which the media type does not have" in told
    assert "may vanish" in told


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "config.yaml", "index.json"])
def test_json_and_yaml_files_and_downloaded_folders_are_read(tmp_path: Path, name: str) -> None:
    text = json.dumps(SMALLEST)
    if name.endswith("yaml"):
        text = (
            "mediaTypes:\n  - handle: image\n    type: mediaImage\n    metadata:\n"
            "      - {handle: caption, type: li-text}\n"
        )
    (tmp_path / name).write_text(text)
    place = tmp_path if name == "index.json" else tmp_path / name
    assert list(config.load(place).media_types["image"].properties) == ["caption"]


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(SMALLEST).encode())
    assert "image" in config.load(tmp_path / "c.json").media_types


@pytest.mark.skipif(
    shutil.which("node") is None, reason="livingdocs-cli's own format needs Node.js"
)
def test_a_folder_of_javascript_is_read_by_node(tmp_path: Path) -> None:
    (tmp_path / "media-types").mkdir()
    (tmp_path / "media-types" / "image.js").write_text(
        "module.exports = {handle: 'image', type: 'mediaImage', metadata: [\n"
        "  {handle: 'caption', type: 'li-text', config: {maxLength: 100 * 2}}]}\n"
    )
    (tmp_path / "index.js").write_text(
        "module.exports = {v: 2, $baseRevision: 7, mediaTypes: [require('./media-types/image')]}\n"
    )
    found = config.load(tmp_path)
    assert found.revision == 7
    assert found.media_types["image"].properties["caption"].config == {"maxLength": 200}
    (tmp_path / "index.js").write_text("module.exports = {,}")
    with pytest.raises(ConfigError, match="SyntaxError"):
        config.load(tmp_path)


LAUGHS = b"a0: &a0 [x, x]\n" + b"".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n".encode() for n in range(1, 40)
)


def test_aliases_save_writing(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "mediaTypes:\n"
        "  - {handle: image, type: mediaImage, metadata: &m [{handle: cap, type: li-text}]}\n"
        "  - {handle: archive, type: mediaImage, metadata: *m}\n"
    )
    found = config.load(tmp_path / "c.yaml")
    assert list(found.media_types["archive"].properties) == ["cap"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"# nothing but a comment\n", "it is empty"),
        (b"{", "line 1, column 2: it ends too early"),
        (b"\xff\x89PNG", "not UTF-8"),
        (b"\x00\xff\x89PNG", "neither JSON nor YAML"),
        (b"a: [1\nb: c", "in line 2"),
        (b"a: &x [*x]", "it holds more than"),
        (LAUGHS, "more than 1,000,000 values"),
        (b"just a text", "must be an object"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_config_is_told_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert message in caught.value.message and str(path) in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["nothing.json", "folder"])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / name)
    assert name in caught.value.message and caught.value.hint


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5)
KEYS = (
    "mediaTypes handle type metadata config dataProvider items value namedCrops name settings "
    "exifExtraction mappings defaultMediaTypes mediaImage maxLength minLength required"
)
keys = st.sampled_from(KEYS.split())
anything = st.recursive(
    scalars | st.sampled_from(["image", "mediaImage", "li-text", "li-enum", "li-category"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(anything)
def test_any_json_is_a_config_or_a_complaint(body: Json) -> None:
    try:
        found = config.from_json(body)
    except ConfigError as error:
        assert error.message
    else:
        one = checked(found, entry({"caption": "x"}, media_type="image"))
        assert one.image is not None or errors(one)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"mediaType": []}, "mediaType did you mean mediaTypes?"),
        ({"foo": 1}, "is no project config"),
        ({"images": []}, "is no project config"),
    ],
)
def test_a_file_that_is_something_else_does_not_pass_for_a_config(body: Json, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.from_json(body, origin="index.json")
    assert message in caught.value.message


def test_typing_errors_are_told() -> None:
    metadata: Json = [{"handle": "taken", "type": "li-datum", "config": {"maxLenght": 3}}]
    image: Json = {"handle": "image", "type": "mediaImage", "metdata": metadata}
    told = "\n".join(config.from_json({"mediaTypes": [image]}).warnings)
    assert "mediaTypes.0.metdata: did you mean metadata?" in told
    image = {"handle": "image", "type": "mediaImage", "metadata": metadata}
    told = "\n".join(config.from_json({"mediaTypes": [image]}).warnings)
    assert "maxLenght: did you mean maxLength?" in told and "did you mean li-date?" in told


def test_a_config_without_media_types_says_what_is_assumed() -> None:
    assert "is assumed" in config.from_json({"v": 2, "settings": {}}).warnings[0]
    assert config.default().warnings == ()
