"""What a person meets who looks at a served engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hostile_strings import CONTROLS, FORMULAS
from playwright.sync_api import expect
from served import Api, Origin, batch, image, served, until
from tabs import LOOKS, OVER, OpenTab, complaints

FAILED_JOB = "job00000000009"
PAGES = ("/", "/?state=failed", f"/jobs/{FAILED_JOB}", f"/jobs/{FAILED_JOB}?state=failed",
         "/library", "/library?q=santis", "/library?q=nothing-of-this-name")  # fmt: skip
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def one_entry(api: Api) -> str:
    return str(api.get("/library.json", limit="1").json()["entries"][0]["id"])


# -- every page ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages_are_accessible_fit_and_are_quiet(
    archive: Api, tab: OpenTab, scheme: str, width: int
) -> None:
    looked = tab(archive.url, width, color_scheme=scheme)
    media = one_entry(archive)
    for path in (*PAGES, f"/library?show={media}", f"/library/{media}"):
        page = looked.go(path)
        assert complaints(page) == [], path
        over = page.evaluate(OVER)
        assert over <= 0, f"{path} is {over} px too wide"


def test_every_page_has_its_json(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).page
    for path in (*PAGES, f"/library/{one_entry(archive)}"):
        page.goto(archive.url + path)
        machine = page.locator('link[rel="alternate"]').get_attribute("href")
        assert machine
        answer = archive.get(machine)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["format"] == 1


def test_reading_works_without_javascript(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url, java_script_enabled=False).go("/")
    page.get_by_role("link", name="With failures 3").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("link", name=FAILED_JOB).click()
    expect(page.locator("tbody tr")).to_have_count(9)  # what failed comes first
    page.get_by_role("link", name="Imported 100").click()
    expect(page.locator("tbody tr")).to_have_count(100)
    page.get_by_role("link", name="Library", exact=True).click()
    page.get_by_role("searchbox").fill("Zürich")
    page.get_by_role("button", name="Search").click()
    assert "q=Z" in page.url
    first = page.locator("[data-card]").first
    expect(first).to_be_visible()
    first.click()
    expect(page.locator("#panel")).to_contain_text("Media id")
    page.get_by_role("link", name="Close").click()
    expect(page.locator("#panel .panel")).to_have_count(0)


# -- jobs ---------------------------------------------------------------------------------------


def test_a_running_job_moves_under_the_eyes_and_keeps_the_focus(
    tmp_path: Path, origin: Origin, tab: OpenTab
) -> None:
    origin.gate.clear()
    with served(tmp_path / "engine", allow=(origin.host,)) as api:
        images = [image(str(n), origin.url(f"{n}.jpg")) for n in range(30)]
        job = api.start(*images)
        page = tab(api.url).go("/")
        expect(page.locator(f"#job-{job}")).to_contain_text("waiting")
        link = page.get_by_role("link", name=job)
        link.focus()
        page.evaluate("window.before = document.activeElement")
        address, loads = page.url, page.evaluate("performance.timeOrigin")
        origin.gate.set()
        expect(page.locator(f"#job-{job}")).to_contain_text("done", timeout=20_000)
        assert page.evaluate("document.activeElement === window.before")
        assert (page.url, page.evaluate("performance.timeOrigin")) == (address, loads)
        page.goto(f"{api.url}/jobs/{job}")
        expect(page.locator("tbody tr")).to_have_count(30)


def test_a_new_job_appears_on_a_page_that_is_open(
    tmp_path: Path, origin: Origin, tab: OpenTab
) -> None:
    with served(tmp_path / "engine", allow=(origin.host,)) as api:
        page = tab(api.url).go("/")
        expect(page.locator("main")).to_contain_text("curl -X POST")
        job = api.start(image("1", origin.url("1.jpg")))
        expect(page.locator(f"#job-{job}")).to_be_visible(timeout=20_000)


def test_pausing_ends_the_updates(tmp_path: Path, origin: Origin, tab: OpenTab) -> None:
    origin.gate.clear()
    with served(tmp_path / "engine", allow=(origin.host,)) as api:
        api.start(image("1", origin.url("1.jpg")))
        looked = tab(api.url)
        page = looked.go("/")
        page.get_by_role("link", name="pause").click()
        expect(page.locator("main")).to_contain_text("Paused")
        page.wait_for_load_state("networkidle")
        asked: list[str] = []
        page.on("request", lambda each: asked.append(each.url))
        page.wait_for_timeout(3_000)
        assert asked == []
        origin.gate.set()


def test_bars_filter_and_back_leads_back(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go(f"/jobs/{FAILED_JOB}?state=all")
    page.locator(".reasons a", has_text="404").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    assert set(page.locator("tbody tr td:nth-child(5)").all_inner_texts()) == {
        "the origin answered 404"
    }
    page.get_by_role("link", name="answered 404 instead of sending the image ✕").click()
    expect(page.locator("tbody tr")).to_have_count(9)
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(100)
    page.get_by_role("link", name="More →").click()
    expect(page.locator("tbody tr")).to_have_count(9)


def test_jobs_are_paged(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go("/?limit=4")
    seen = page.locator("tbody tr td:first-child").all_inner_texts()
    while page.get_by_role("link", name="Older →").count():
        page.get_by_role("link", name="Older →").click()
        seen += page.locator("tbody tr td:first-child").all_inner_texts()
    assert seen == [f"job{n:011}" for n in range(10, 0, -1)]
    page.get_by_role("link", name="← Newest").click()
    expect(page.locator("tbody tr").first).to_contain_text("job00000000010")


# -- the library --------------------------------------------------------------------------------


def test_search_as_you_type_keeps_the_cursor(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go("/library")
    box = page.get_by_role("searchbox")
    box.press_sequentially("geneve", delay=20)
    expect(page).to_have_url(re.compile("q=geneve"))
    expect(page.locator("[data-card]").first).to_be_visible()
    assert page.evaluate("document.activeElement.name") == "q"
    assert page.evaluate("document.activeElement.selectionStart") == 6
    box.press_sequentially(" basel")
    expect(page).to_have_url(re.compile("basel"))
    found = archive.get("/library.json", q="geneve basel").json()["entries"]
    expect(page.locator("[data-card]")).to_have_count(len(found))
    page.go_back()
    expect(page).to_have_url(re.compile(r"q=geneve(&|$)"))


def test_filters_narrow_the_gallery(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go("/library")
    page.get_by_label("Media type").select_option("graphic")
    expect(page.locator("[data-card]")).to_have_count(20)
    page.get_by_label("Archive").select_option("archive")
    expect(page.locator("main")).to_contain_text("No image is found by this")
    page.goto(f"{archive.url}/library?from=2023-11-15")
    expect(page.locator("main")).to_contain_text("No image is found by this")


def test_the_gallery_is_paged_to_its_end(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go("/library?limit=400")
    seen = page.locator("[data-card] .id").all_inner_texts()
    while page.get_by_role("link", name="More →").count():
        page.get_by_role("link", name="More →").click()
        page.wait_for_url(re.compile("before="))
        seen += page.locator("[data-card] .id").all_inner_texts()
    assert len(seen) == len(set(seen)) == 1_000


def test_the_panel_obeys_keys(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go("/library")
    names = [each.get_attribute("data-card") for each in page.locator("[data-card]").all()[:3]]
    page.locator("[data-card]").first.click()
    panel = page.locator("#panel [data-shown]")
    expect(panel).to_have_attribute("data-shown", str(names[0]))
    expect(panel).to_contain_text("from the file (By-line)")
    expect(panel).to_contain_text("from the manifest")
    for key, at in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(panel).to_have_attribute("data-shown", str(names[at]))
    assert f"show={names[1]}" in page.url
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    assert "show=" not in page.url
    assert page.evaluate("document.activeElement.dataset.card") == names[1]


def test_thumbnails_are_shown(archive: Api, tab: OpenTab) -> None:
    page = tab(archive.url).go("/library?limit=8")
    pictures = page.locator(".gallery img")
    expect(pictures).to_have_count(8)
    whole = "(images) => images.every((each) => each.complete && each.naturalWidth > 0)"
    until(lambda: pictures.evaluate_all(whole))


# -- strangers ----------------------------------------------------------------------------------

_MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>',
    "{{ 7*7 }}{% raw %}", "javascript:alert(1)", "' onmouseover='alert(1)", "</textarea><b>x",
    "&lt;b&gt;", "<!--", "]]>", "\u202egpj.exe", "桜の花", "مهرجان", "👩‍🚀" * 3, "a" * 255,
)  # fmt: skip


def test_hostile_texts_are_shown_and_do_nothing(
    tmp_path: Path, origin: Origin, tab: OpenTab
) -> None:
    texts = [*_MARKUP, *FORMULAS[:8], *(each for each in CONTROLS[:40] if "\0" not in each)]
    images = [
        image(f"{n} {text}"[:200], origin.url(f"{n}.jpg"), fileName=text, metadata={"title": text})
        for n, text in enumerate(texts)
    ]
    with served(tmp_path / "engine", allow=(origin.host,), workers=1) as api:
        answer = api.post(batch(*images, system_name="<b>'\"&"))
        assert answer.status_code == 200, answer.text
        job = json.loads(answer.text)["id"]
        api.ended(job)
        looked = tab(api.url, 390)
        for path in ("/", f"/jobs/{job}", "/library", "/library?q=%3Cscript%3E+%22+OR+*"):
            page = looked.go(path)
            assert complaints(page) == [], path
            assert page.locator("main script, main b, [onerror], [onload]").count() == 0
            assert not OBEYED.search(page.inner_text("main"))
        for card in api.get("/library.json", limit="100").json()["entries"]:
            page = looked.go(f"/library/{card['id']}")
            assert page.locator("main script, main b").count() == 0


@pytest.mark.parametrize("page", ["/", "/library"])
def test_an_empty_engine_says_how_to_begin(tmp_path: Path, tab: OpenTab, page: str) -> None:
    with served(tmp_path / "engine", workers=0) as api:
        looked = tab(api.url, 390)
        assert complaints(looked.go(page)) == []
        expect(looked.page.locator(".note")).to_be_visible()
