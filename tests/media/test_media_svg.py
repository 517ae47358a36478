"""SVG: the gate, the size, and what is left after cleaning."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import svg
from svg_payload import payloads

from ldimport.errors import Rejected
from ldimport.media.cleaning import clean, clean_css
from ldimport.media.inspect import inspect
from ldimport.media.svg import MAX_DEPTH
from ldimport.model import Facts, ImageType, Limits

LIMITS = Limits()
PIXEL = "data:image/png;base64,iVBORw0KGgo//8="


def cleaned(data: bytes) -> str:
    stored, facts = clean(data, LIMITS.max_bytes)
    assert facts == inspect(data, LIMITS) == inspect(stored, LIMITS)
    assert payloads(stored) == []
    return stored.decode()


def code(data: bytes) -> str:
    """Of the refusal, which both ways of reading give."""
    with pytest.raises(Rejected) as caught:
        inspect(data, LIMITS)
    with pytest.raises(Rejected) as again:
        clean(data, LIMITS.max_bytes)
    assert again.value.code == caught.value.code
    return caught.value.code


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="100" height="50"', (100, 50)),
        ('width=" 100px " height="50PX"', (100, 50)),
        ('width="1e2" height="5e1"', (100, 50)),
        ('width="+10.4" height=".5e2"', (10, 50)),
        ('width="10.5" height="0.2"', (11, 1)),
        ('width="1in" height="2.54cm"', (96, 96)),
        ('width="25.4mm" height="101.6Q"', (96, 96)),
        ('width="72pt" height="6pc"', (96, 96)),
        ('width="10em" height="10ex"', (160, 80)),
        ("", (300, 150)),
        ('width="100%" height="100%"', (300, 150)),
        ('width="100%" height="100%" viewBox="0 0 50 60"', (50, 60)),
        ('width="auto" height="" viewBox="0 0 50 60"', (50, 60)),
        ('viewBox="0,0,640,480"', (640, 480)),
        ('viewBox="-1 -1 2.6 2.4"', (3, 2)),
        ('width="200" viewBox="0 0 100 50"', (200, 100)),
        ('height="50" viewBox="0 0 100 200"', (25, 50)),
        ('width="50%" height="50" viewBox="0 0 100 200"', (25, 50)),
        ('width="abc" height="50" viewBox="0 0 100 200"', (25, 50)),
        ('width="50" viewBox="0 0 0 0"', (50, 150)),
        ('width="50"', (50, 150)),
        ('height="50"', (300, 50)),
        ('width="7vw" height="9"', (300, 9)),
    ],
)
def test_size_follows_css_at_96_dpi(attributes: str, size: tuple[int, int]) -> None:
    assert inspect(svg("", attributes), LIMITS) == Facts(ImageType.SVG, *size)
    cleaned(svg("", attributes))


@pytest.mark.parametrize(
    "attributes",
    ['width="NaN" height="abc"', 'width="0" height="5"', 'width="5" height="-5"',
     'width="1e30" height="1"', 'width="1e999" height="1"', 'viewBox="a b c d"',
     'viewBox="0 0 0 0"', 'viewBox="0 0 1e999 5"', 'width="5 5" height="5"',
     f'width="{"1" * 5000}"'],
)  # fmt: skip
def test_absurd_sizes_are_refused(attributes: str) -> None:
    assert code(svg("", attributes)) == "svg-size"


@pytest.mark.parametrize("separator", [" ", ",", " , ", "  "])
def test_numbers_that_nearly_make_a_size_are_read_once(separator: str) -> None:
    """Read again from each of their digits, they keep a worker busy for ever."""
    data = svg(attributes=f'viewBox="{separator.join(["1" * 240] * 4)}!"')
    assert code(data) == "svg-size"


def test_large_sizes_meet_the_pixel_limit() -> None:
    with pytest.raises(Rejected, match="24,005,000 pixels, the limit is 24,000,000"):
        inspect(svg("", 'width="4801" height="5000"'), LIMITS)


@pytest.mark.parametrize("inside", [
    "<script>alert(1)</script>", '<script xlink:href="http://e/x.js"/>',
    '<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>',
    '<rect onload="alert(1)" ONCLICK="alert(1)"/>',
    '<a href="javascript:alert(1)"><text>t</text></a>',
    '<a xlink:href="java&#9;script:alert(1)"/>', '<a href="java&#x0a;script:alert(1)"/>',
    '<a href=" &#x20;JAVASCRIPT:alert(1)"/>', '<a href="data:text/html,x"/>',
    '<a href="https://example.com/"/>', '<image href="//e/x.png"/>', '<image href="x.png"/>',
    '<image xlink:href="data:image/svg+xml;base64,AAAA"/>', '<use href="http://e/x.svg#a"/>',
    '<feImage href="http://e/x"/>',
    '<a><animate attributeName="href" to="javascript:alert(1)"/></a>',
    '<a><set attributeName="xlink:href" to="x"/></a>', '<set attributeName="onload" to="x"/>',
    '<animate attributeName="x" values="java\tscript:alert(1);0"/>',
    '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><iframe src="http://e/"/></body>'
    "</foreignObject>", '<h:img xmlns:h="http://www.w3.org/1999/xhtml" src="http://e/"/>',
    '<rect style="fill:url(http://e/x#a)"/>', '<rect fill="url(\'http://e/x#a\')"/>',
    '<rect style="fill:u\\72l(http://e/x)"/>', '<rect style="fill:\\000075rl(http://e/x)"/>',
    '<rect style="background:image-set(\'http://e/x\' 1x)"/>',
    '<rect style="x:expression(alert(1))"/>', '<rect style="-moz-binding:url(http://e/x)"/>',
    '<style>@import "http://e/x";</style>', "<style>@\\69mport url(http://e/x);a{}</style>",
    "<style>@im@import x;port 'http://e/x';</style>", "<style>a{b:url(//e/x)}</style>",
    "<style><![CDATA[@import/**/'http://e/x';]]></style>",
    '<style>@font-face{src:url("http://e/f")}</style>', "<style>a{b:u/**/rl(http://e/x)}</style>",
    "<text><style>@import 'http://e/x';</style></text>", "<?xml-stylesheet href='http://e/x'?>",
    '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname"/>',
])  # fmt: skip
def test_nothing_live_is_stored(inside: str) -> None:
    stored = cleaned(svg(inside + '<rect width="1" height="2"/>'))
    assert '<rect height="2" width="1"/>' in stored


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        ("fill:url(#g);stroke:url( '#x' )", 'fill:url(#g);stroke:url( "#x" )'),
        (".md\\:flex{mask:url(#m)}", ".md\\:flex{mask:url(#m)}"),
        (f"fill:url({PIXEL})", f"fill:url({PIXEL})"),
        ("a{fill:url(http://e/x);stroke:red}", "a{fill:none;stroke:red}"),
        ("content:'a (b)';src:url(x)", 'content:"a (b)";src:none'),
        ("@import 'x';a{b:c}", " a{b:c}"),
        ("a{behavior : url(#x);b:c}", "a{behavior  b:c}"),
        ("a/* url(x) */b", "a b"),
        ("\\1 x{mask:url(#m)}", "\ufffdx{mask:url(#m)}"),
        ("\\d800 x", "\ufffdx"),
        ("url(x);width:" + "1" * 5_000, ""),
    ],
)
def test_style_sheets_lose_what_loads_and_nothing_else(css: str, kept: str) -> None:
    assert clean_css(css) == kept
    assert clean_css(kept) == kept


def test_what_is_plain_survives() -> None:
    inside = (
        "<title>A &amp; B</title><style>.a{fill:#f00} a &gt; b{x:y}</style><defs>"
        '<linearGradient id="g"/></defs><rect class="a" fill="url(#g)" transform="rotate(5)"/>'
        f'<image href="{PIXEL}" style="mask:url(\'#m\')"/><use xlink:href="#g"/>'
        '<text x="1">Zürich &lt;3 <tspan>a</tspan> <tspan>b</tspan></text>'
        '<animate attributeName="x" from="1" to="2"/>'
    )
    stored = cleaned(svg(inside))
    for part in ("<title>A &amp; B</title>", ".a{fill:#f00} a &gt; b{x:y}", 'fill="url(#g)"',
                 'transform="rotate(5)"', f'href="{PIXEL}"', '<use href="#g"/>', "mask:url(#m)",
                 '<animate attributeName="x" from="1" to="2"/>'):  # fmt: skip
        assert part in stored, part


def test_white_space_of_text_is_kept_and_no_indentation_added() -> None:
    stored = cleaned(svg('<text x="1">one\n  <tspan>two</tspan> <tspan>three</tspan></text>'))
    text = ElementTree.fromstring(stored)[0]
    assert "".join(text.itertext()) == "one   two three"


def test_cleaning_twice_changes_nothing() -> None:
    once = cleaned(svg("<g>\n <text>a\n b</text>\n <style>.a{b:url(x)}</style></g>")).encode()
    assert cleaned(once).encode() == once


def test_a_root_without_namespace_is_given_one() -> None:
    assert 'xmlns="http://www.w3.org/2000/svg"' in cleaned(b'<svg width="1" height="1"><g/></svg>')


def test_a_prefixed_root_is_kept() -> None:
    data = b'<s:svg xmlns:s="http://www.w3.org/2000/svg" width="3" height="4"><s:rect/></s:svg>'
    assert "<rect/>" in cleaned(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1", "windows-1252", "utf-16"])
def test_encodings_that_xml_writers_use(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    body = (
        f'<?xml version="1.0" encoding="{declared}"?><svg width="9" height="8"><text>ä</text></svg>'
    )
    assert "<text>ä</text>" in cleaned(body.encode(encoding))


@pytest.mark.parametrize("declared", ["utf-16", "UTF-16LE", "ucs-2", "iso-10646-ucs-2"])
def test_utf_8_that_calls_itself_utf_16_is_utf_8(declared: str) -> None:
    body = f'<?xml version="1.0" encoding="{declared}"?><svg><text>ä</text></svg>'
    assert "<text>ä</text>" in cleaned(body.encode())
    assert code(body.encode("latin-1")) == "corrupt"


def test_encodings_that_hide_markup_are_refused() -> None:
    assert code(b'<?xml version="1.0" encoding="UTF-7"?>+ADw-svg+AD4-') == "svg-unsafe"
    assert code(b'<svg width="1" height="1"><text>\xff</text></svg>') == "corrupt"


def doctype(declarations: str, inside: str = "") -> bytes:
    return f"<!DOCTYPE svg [{declarations}]>".encode() + svg(inside)


def test_entities_of_drawing_programs_are_expanded() -> None:
    data = (
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/svg11.dtd"'
        b' [<!ENTITY ns_svg "http://www.w3.org/2000/svg"><!ENTITY st "fill:red">]>'
        b'<svg xmlns="&ns_svg;" width="4" height="4"><rect style="&st;"/></svg>'
    )
    assert 'style="fill:red"' in cleaned(data)


def test_elements_may_come_from_entities_and_are_cleaned_like_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rect = "<!ENTITY r \"<rect width='1'/><script>alert(1)</script>\">"
    assert '<g><rect width="1"/></g>' in cleaned(doctype(rect, "<g>&r;</g>"))
    monkeypatch.setattr("ldimport.media.svg.MAX_ELEMENTS", 20_000)
    many = '<!ENTITY g "' + "<g/>" * 1_000 + '">'
    assert code(doctype(many, "&g;" * 21)) == "too-complex"


@pytest.mark.parametrize("declarations", [
    '<!ENTITY x SYSTEM "file:///etc/passwd">', '<!ENTITY x SYSTEM "http://127.0.0.1:9/">',
    '<!ENTITY % p SYSTEM "http://127.0.0.1:9/e.dtd"> %p;', "<!ENTITY % p 'x'> %p;",
    '<!ENTITY a "x"><!ENTITY b "&a;&a;">', '<!ENTITY b "&a;"><!ENTITY a "x">',
    "".join(f'<!ENTITY a{n} "x">' for n in range(101)),
])  # fmt: skip
def test_entities_that_reach_out_or_multiply_are_refused(declarations: str) -> None:
    assert code(doctype(declarations, "<text>&x;</text>")) in ("svg-unsafe", "corrupt")


def test_a_quadratic_blowup_is_refused_before_it_happens() -> None:
    big = f'<!ENTITY a "{"A" * 50_000}">'
    assert code(doctype(big, "<text>" + "&a;" * 20_000 + "</text>")) == "svg-unsafe"
    attribute = f'<!ATTLIST svg b CDATA "{"&a;" * 20_000}">'
    assert code(doctype(big + attribute)) == "svg-unsafe"


def _uses(of: str, group: str, reference: str) -> str:
    """Groups, each of which shows the one before it as often as it is told."""
    layers = range(1, 40)
    return f'<{group} id="g0"><rect/></{group}>' + "".join(
        f'<{group} id="g{n}">{reference.format(f"g{n - 1}") * 2}</{group}>' for n in layers
    ) + of.format("g39")  # fmt: skip


USE = '<use href="#{}"/>'


@pytest.mark.parametrize("inside", [
    _uses(USE, "g", USE), _uses("", "g", '<use xlink:href="#{}"/>'),
    _uses('<rect fill="url(#{})"/>', "pattern", '<rect fill="URL( &apos;#{}&apos; )"/>'),
    _uses('<g mask="url(#{})"/>', "mask", '<rect style="mask:u\\72l(#{})"/>'),
    "".join(f'<g id="g{n}">{USE.format(f"g{n + 1}") * 10}</g>' for n in range(30)),
    "".join(f'<g id="g{n}">{"".join(USE.format(f"g{m}") for m in range(20))}</g>'
            for n in range(20)),
])  # fmt: skip
def test_references_that_multiply_without_end_are_not_stored(inside: str) -> None:
    """Whoever looks at such a picture waits for ever."""
    stored = cleaned(svg(inside + '<rect width="1" height="2"/>'))
    assert "#g" not in stored
    assert '<rect height="2" width="1"/>' in stored


@pytest.mark.parametrize("inside", [
    '<g id="a">' + USE.format("a") * 50_000 + "</g>", USE.format("nowhere") * 50_000,
    '<symbol id="a">' + "<path/>" * 10 + "</symbol>" + USE.format("a") * 50_000,
    '<g id="a">' + USE.format("b") * 49_998 + '</g><g id="b"/>' + USE.format("a") * 2,
])  # fmt: skip
def test_many_references_stay(inside: str) -> None:
    assert cleaned(svg(inside)).count('href="#') == 50_000


def test_what_is_no_svg() -> None:
    for page in (b"<root/>", b"<rss><svg/></rss>",
                 b'<svg xmlns="http://example.com/"/>'):  # fmt: skip
        assert code(page) == "not-an-image"
    assert code(b"<svg><g></svg>") == "corrupt"
    assert code(b"<svg>") == "corrupt"
    assert code(b'<svg><a b="&#1;"/></svg>') == "corrupt"
    assert code(svg('<sodipodi:x a="1"/>')) == "corrupt"  # unbound prefix


def test_depth_elements_and_attributes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldimport.media.svg.MAX_ELEMENTS", 20_000)
    inner = MAX_DEPTH - 1
    assert inspect(svg("<g>" * inner + "</g>" * inner), LIMITS).width == 10
    assert code(svg("<g>" * MAX_DEPTH + "</g>" * MAX_DEPTH)) == "too-complex"
    assert code(svg("<g/>" * 20_000)) == "too-complex"
    assert code(svg("<g " + " ".join(f'a{n}="1"' for n in range(501)) + "/>")) == "too-complex"


def test_what_grows_beyond_the_byte_limit_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        clean(svg("<g>" * 100 + "<g/>" * 100 + "</g>" * 100), 500)
    assert caught.value.code == "too-many-bytes"


def test_many_comments_before_the_root_cost_no_more_than_their_length() -> None:
    assert inspect(b"<!-- -->" * 300_000 + svg(), LIMITS).width == 10


MARKUP = st.text(
    st.sampled_from(list("<>/=\"'&;#: ()@\\{}-!?[]abgosuvxyznhrefimptLJ019\n")), max_size=80
)


@given(MARKUP)
@settings(max_examples=300, deadline=None)
def test_no_markup_brings_a_payload_through(inside: str) -> None:
    try:
        stored, _ = clean(svg(f"<g>{inside}</g>"), LIMITS.max_bytes)
    except Rejected:
        return
    assert payloads(stored) == []


@given(MARKUP, st.sampled_from(["style", "fill", "href", "d"]))
@settings(max_examples=300, deadline=None)
def test_no_attribute_brings_a_payload_through(value: str, name: str) -> None:
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    stored, _ = clean(svg(f'<path {name}="{escaped}"/><style>a{{}}{escaped}</style>'), 100_000)
    assert payloads(stored) == []
