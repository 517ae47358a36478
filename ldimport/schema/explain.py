"""What every problem code means, and how to fix it: the text of ``ldimport explain CODE``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """``title`` in a few words, ``meaning`` in a paragraph, ``fix``: ways out, the best first."""

    title: str
    meaning: str
    fix: tuple[str, ...]


def _e(title: str, meaning: str, *fix: str) -> Explanation:
    return Explanation(title, meaning, fix)


_RECORDS = {
    "ragged-row": _e(
        "a row has more or fewer cells than the header",
        "A delimiter or a line break inside a cell splits it when the cell has no quotes; or a "
        "cell was left out.",
        "put cells with delimiters or line breaks into double quotes",
        "name the delimiter if it was guessed wrong: --delimiter ';'",
    ),
    "bad-quotes": _e(
        "a quoted cell is broken",
        "A quoted cell is never closed, or has a quote inside that is not doubled, so nobody can "
        "tell where it ends.",
        'double each quote inside a quoted cell: "the ""old"" bridge"',
        "export the file again with a program that writes CSV (RFC 4180)",
    ),
    "nul-byte": _e(
        "a cell holds a NUL byte",
        "No text has NUL bytes. Often the file is UTF-16 and was read as something else.",
        "--encoding utf-16",
        "take the NUL bytes out: tr -d '\\000' < old.csv > new.csv",
    ),
    "bad-json": _e(
        "JSON that cannot be parsed",
        "An entry of a JSON manifest, or JSON in a cell, breaks the rules of JSON.",
        "correct it at the place named; a JSON editor shows what is missing",
    ),
    "duplicate-key": _e(
        "the same key stands twice",
        "In one object or mapping, the same key stands twice; programs differ in which one counts.",
        "take one of them away",
    ),
    "bad-number": _e(
        "NaN and Infinity are not JSON",
        "Some programs write them; the API cannot store them.",
        "leave the value out, or write a number",
    ),
    "big-number": _e(
        "a whole number too large for JSON",
        "Livingdocs reads numbers as JavaScript does: beyond 2^53 - 1 they would be rounded.",
        "write it as a text, in quotes",
    ),
    "lone-surrogate": _e(
        "half of a surrogate pair",
        "A \\ud800-like escape without its partner is no character and cannot be sent.",
        "export the file again; somebody cut a text in the middle of an emoji",
    ),
    "too-deep": _e(
        "nested too deeply",
        "Lists and objects nested deeper than anything the API stores.",
        "check the program that wrote it",
    ),
    "yaml-alias": _e(
        "YAML aliases are not followed",
        "An alias (*name) could blow up a small file into gigabytes.",
        "write the value out",
    ),
    "yaml-tag": _e(
        "YAML tags are not interpreted",
        "A tag (!!python/…) asks the reader to make something else of the text.",
        "take the tag away",
    ),
}
_FIELDS = {
    "required": _e(
        "a value is missing",
        "id, url and fileName are required for every image; a metadata property is required "
        "where the project config says so. Livingdocs itself asks for metadata when something is "
        "published, so --lenient makes a warning of it.",
        'give every row that has none the same value: --set credit="Archiv"',
        "name the column that holds it: --map metadata.credit=Fotograf",
        "send the other rows: --valid-only",
    ),
    "duplicate-id": _e(
        "two rows have the same id",
        "(systemName, id) names one image for ever. The second row would overwrite the first.",
        "take one of the rows away, or give it an id of its own",
        'build the id from two columns: --map id="{archive}:{number}"',
    ),
    "id-case": _e(
        "two ids differ only in upper and lower case",
        "Both are kept as two images. If they mean the same image, it arrives twice.",
        "write them alike, in the form that was sent first",
    ),
    "id-blanks": _e(
        "an id has blanks at its ends",
        "They are part of the id for ever: “a ” and “a” are two images.",
        "take them away before the first import, not afterwards",
    ),
    "id-control": _e(
        "an id has invisible characters",
        "Line breaks, direction marks and the like are part of the id for ever, and nobody sees "
        "them.",
        "take them away before the first import, not afterwards",
    ),
    "not-a-url": _e(
        "url is not an http or https address",
        "The server fetches each image itself, over http or https.",
        "write the whole address, blanks as %20",
        "for addresses without their beginning: --base-url https://img.example.com/",
    ),
    "data-url": _e(
        "data: URLs are not allowed",
        "The API takes addresses only, no image inside the request.",
        "write the images to files and serve them, or use the local engine with paths",
    ),
    "absolute-path": _e(
        "url is a path on this machine",
        "Files are read only below the manifest's folder, by the local engine alone, and by "
        "relative paths.",
        "move the manifest to the images and write paths from its folder: 2003/1.jpg",
        "serve the folder and give addresses",
    ),
    "relative-url": _e(
        "a relative url has no base",
        "Only the local engine reads files; a server needs whole addresses.",
        "--base-url https://img.example.com/archive/",
    ),
    "outside-folder": _e(
        "a path leads out of the manifest's folder",
        "By .. or by a symbolic link. Files are read only below the manifest's folder.",
        "move the manifest to a folder above all images",
    ),
    "no-such-file": _e(
        "there is no such file",
        "The path leads to nothing below the manifest's folder. The row is sent all the same and "
        "fails alone, unless the file is there by then.",
        "correct the path; upper and lower case count",
    ),
    "url-userinfo": _e(
        "url holds a user name or password",
        "It would stand in logs and reports for ever, and servers refuse such addresses.",
        "serve the images without a password while they are imported, or by signed addresses",
    ),
    "unlikely-type": _e(
        "the url ends in an unusual way",
        "Livingdocs takes png, jpg, gif and svg. The bytes decide at the import, not the name, so "
        "this is only a warning.",
        "convert images of other types; leave the row alone if only its name is unusual",
    ),
    "unknown-media-type": _e(
        "the project has no such media type",
        "mediaType has to be the handle of a media type for images in the project config. Absent, "
        "it is the project's default.",
        "correct the handle; the message lists those there are",
        "name the right project config: --project-config FILE",
    ),
    "unknown-property": _e(
        "the media type has no such property",
        "Each media type has its own metadata properties; others cannot be stored.",
        "rename it: --map metadata.credit=metadata.photographer",
        "name the right project config: --project-config FILE",
    ),
}
_VALUES = {
    "wrong-type": _e(
        "a value is of the wrong type",
        "A number where a text is stored, a text where a list is stored, and so on. In CSV and "
        "YAML texts are turned into what the property stores; JSON has types of its own.",
        "write the value as the message says",
    ),
    "wrong-shape": _e(
        "a value is not as its plugin stores it",
        "Structured properties (references, crops, …) are objects with keys of their own.",
        "ldimport config schema   shows the form",
    ),
    "not-an-integer": _e(
        "not a whole number",
        "The property stores whole numbers. 5, +5, 1'204, 5.0 and 5,0 are read; 1.204 and 1,204 "
        "are not, since they may mean two things.",
        "write it with digits only",
    ),
    "not-a-boolean": _e(
        "neither yes nor no",
        "yes/no, true/false, 1/0, ja/nein, oui/non are read, in any case.",
        "write yes or no",
    ),
    "bad-date": _e(
        "not a date, or a day that does not exist",
        "2003-04-12, 12.04.2003 and 2003/04/12 are read by themselves; other forms have to be "
        "declared.",
        'in ldimport.yaml: manifest: {metadata.taken: {column: Datum, date: "%d %b %Y"}}',
        "correct the day, or leave the cell empty",
    ),
    "ambiguous-date": _e(
        "a date that can be read two ways",
        "03/04/2003 is in March or in April; years of two digits are in this century or the "
        "last. It is not guessed.",
        'declare how the column is written: {column: Datum, date: "%d/%m/%Y"}',
    ),
    "no-time-zone": _e(
        "a time without its zone",
        "A moment is stored with its offset; without one it could be hours away.",
        "write 2003-04-12T09:30:00+02:00",
        "declare the column's zone: {column: Datum, zone: Europe/Zurich}",
    ),
    "too-long": _e(
        "a text is too long",
        "The property's maxLength, in characters. Livingdocs checks it at publishing: --lenient "
        "makes a warning of it.",
        "shorten it",
        "raise maxLength in the project config",
    ),
    "maybe-too-long": _e(
        "a text may be too long",
        "Emoji count once as characters, twice in JavaScript; by one count it is too long.",
        "shorten it by a few characters",
    ),
    "too-short": _e(
        "a text is too short", "The property's minLength, in characters.", "write more, or nothing"
    ),
    "recommended-length": _e(
        "a text is not as long as recommended",
        "The project config recommends a length; nothing is refused for it.",
        "leave it, or adapt it",
    ),
    "line-break": _e(
        "a text has a line break, and may not",
        "The property has allowNewlines: false.",
        "put the text on one line",
    ),
    "not-in-list": _e(
        "a value is not in the property's list",
        "The property takes only the values listed in the project config (dataProvider.items).",
        "write one of them; the message lists them, and the one probably meant",
    ),
    "unlisted": _e(
        "a value is not among those proposed",
        "The project config proposes values for this property; whether the server insists on "
        "them is not documented, so this is a warning.",
        "write one of them if you can",
    ),
    "too-small": _e("a number is too small", "The property's minValue.", "correct it"),
    "too-large": _e("a number is too large", "The property's maxValue.", "correct it"),
    "too-many": _e(
        "a list is too long", "The property's maxItems (or max).", "take some items away"
    ),
    "too-few": _e("a list is too short", "The property's min.", "add items, or leave it empty"),
    "unknown-crop": _e(
        "a crop that the project does not have",
        "crops[].name has to be one of namedCrops in the project config.",
        "write one of those in the message",
    ),
    "missing-crop": _e(
        "a crop is missing",
        "The project config has crops that are not optional; Livingdocs makes them at an upload, "
        "and whether at an import is not documented.",
        "leave it, or add the crop",
    ),
    "unusual-colour": _e(
        "not a colour of the usual form",
        "Colours are stored as texts such as #8CBA51.",
        "write it with # and hexadecimal digits",
    ),
    "validity": _e(
        "the image would not be valid",
        "Its validity is over, or ends before it begins: Livingdocs hides such images.",
        "correct from and to",
    ),
    "title-from-file-name": _e(
        "the title is taken from fileName",
        "The required property title is empty; fileName becomes the title.",
        "nothing to do, unless they should differ",
    ),
    "mojibake": _e(
        "letters mangled by an encoding",
        "UTF-8 that was read as Windows-1252 on its way: “ZÃ¼rich” instead of “Zürich”.",
        "export it again as UTF-8",
        "if the file itself is right: --encoding utf-8",
    ),
    "replacement-character": _e(
        "a letter is lost",
        "The sign � stands where a program met a letter it could not read. It cannot be brought "
        "back from this file.",
        "export it again as UTF-8 from where the text is whole",
    ),
}
CODES: Mapping[str, Explanation] = {**_RECORDS, **_FIELDS, **_VALUES}
"""Every code of a problem."""
