"""Models in the page: what the present one is, and putting a published one in its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Visits, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page of its own: what is chosen here changes the model."""
    with served(tmp_path_factory.mktemp("models")) as address:
        yield address


def test_a_click_tells_what_the_model_is(visit: Visits) -> None:
    me = visit()
    assert me.count(".facts:visible") == 0
    me.page.click(".brand .model")
    told = me.see(".brand .facts").inner_text()
    for text in ("Licence", "Apache-2.0", "made up", "1.2 M", "not measured yet"):
        assert text in told
    me.page.keyboard.press("Escape")
    me.gone(".brand .facts")
    me.page.keyboard.press("Enter")  # the button still has the focus
    me.see(".brand .facts")
    me.page.keyboard.press("Escape")
    me.gone(".brand .facts")
    assert me.evaluate("document.activeElement.className") == "model ready"


@pytest.mark.parametrize(("width", "phone"), [(1440, False), (1024, False), (390, True)])
def test_what_the_model_is_covers_no_tab_and_a_click_elsewhere_closes_it(
    visit: Visits, width: int, phone: bool
) -> None:
    me = visit(width, 844, phone=phone)
    me.page.click(".brand .model")
    me.see("#about")
    facts, tabs = me.frame("#about"), me.frame("[role=tablist]")
    assert facts["x"] >= 0
    assert facts["x"] + facts["width"] <= width
    below, above = facts["y"] - tabs["y"] - tabs["height"], tabs["y"] - facts["y"] - facts["height"]
    assert max(below, above) >= 0
    me.page.click("button[role=tab]:has-text('Correct')")
    me.gone("#about")
    me.see(".ed-text")  # the click was heard where it went


def test_a_published_model_is_looked_at_chosen_and_left_again(visit: Visits) -> None:
    me = visit()
    me.page.click("button[role=tab]:has-text('Teach')")
    me.see("#model-state .note", "fake-tiny answers now")
    me.page.click("#published input")
    me.page.click("ul[role=listbox] >> text=sam-base")
    told = me.see("#model-facts .facts").inner_text()
    for text in ("Apache-2.0", "facebook/sam-vit-base", "0.5 GB on cpu", "not measured yet"):
        assert text in told
    me.page.click("#serve-published")
    me.see("#model-state .note", "sam-base answers now")
    again = visit()
    again.see(".brand .model", "sam-base")
    again.page.click(".brand .model")
    assert "to read a picture" in again.see(".brand .facts").inner_text()
    me.page.click("#serve-published")
    me.see("#model-said", "sam-base is served already")
    me.page.click("#back")
    me.see("#model-state .note", "fake-tiny answers now")
