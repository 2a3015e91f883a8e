"""The offline page: whole without a network, and nothing in it runs but its own script."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from app import offline
from app.export import Entry
from tests.app.taken import HOSTILE, SIZE, turn


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def parsed(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Returns the tags of a page."""
    tags = Tags()
    tags.feed(page)
    return tags.tags


def test_the_offline_page_needs_nothing_else() -> None:
    picture = Image.new("RGB", (200, 100), "grey")
    page = offline.page([Entry("a.jpg", SIZE, turn())], {"a.jpg": picture})
    tags = parsed(page)
    loaded = [attrs[name] or "" for _, attrs in tags for name in ("src", "href") if name in attrs]
    assert [source[:15] for source in loaded] == ["data:image/jpeg"]
    assert not re.search(r"https?://", page)
    assert len([tag for tag, _ in tags if tag == "rect"]) == 3
    phrases = {(a["class"] or "")[3:] for tag, a in tags if tag == "span" and "tabindex" in a}
    assert phrases == {a["class"] for tag, a in tags if tag == "rect"} == {"x1 g1", "x1 g2"}


def test_hostile_texts_make_no_tag_and_no_script() -> None:
    plain = parsed(
        offline.page(
            [Entry("a", SIZE, turn("a dog here", "a dog", "b"))],
            {"a": Image.new("RGB", (20, 10))},
            "c",
        )
    )
    for text in HOSTILE:
        page = offline.page(
            [Entry(text, SIZE, turn(f"a {text}", text, text))],
            {text: Image.new("RGB", (20, 10))},
            text,
        )
        tags = parsed(page)
        assert [tag for tag, _ in tags] == [tag for tag, _ in plain]
        assert not any(name.startswith("on") for _, attrs in tags for name in attrs)
        assert page.count("<script") == page.count("</script") == 1


def test_turns_without_their_picture_are_left_out() -> None:
    assert "<section>" not in offline.page([], {})
    page = offline.page([Entry("a.jpg", SIZE, turn())], {})
    assert "a.jpg" not in page


@pytest.mark.browser
def test_phrases_and_boxes_light_each_other_up_offline(tmp_path: Path, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    page_file = tmp_path / "page.html"
    entries = [Entry("a", SIZE, turn()), Entry("b", SIZE, turn(*HOSTILE[:3]))]
    pictures = dict.fromkeys("ab", Image.new("RGB", (200, 100), "grey"))
    page_file.write_text(offline.page(entries, pictures), "utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        trouble: list[str] = []
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.goto(page_file.as_uri())
        lit = "[...document.querySelectorAll('.on')].map(e => e.tagName + e.getAttribute('class'))"
        page.locator("span.ph.g1").first.hover()
        assert page.evaluate(lit) == ["rectx1 g1 on", "SPANph x1 g1 on"]
        page.locator("rect.g2").first.focus()
        assert [name[:4] for name in page.evaluate(lit)] == ["rect", "rect", "SPAN"]
        page.locator("h1").hover()
        assert page.evaluate(lit) == []
        assert trouble == []
        browser.close()
