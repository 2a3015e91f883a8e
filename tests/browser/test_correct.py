"""Correcting with a real mouse and keyboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import words
from tests.browser.conftest import Visits
from tests.browser.test_pictures import picture
from tests.browser.visitor import PATIENCE, Visitor

pytestmark = pytest.mark.browser


def correcting(visit: Visits) -> Visitor:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    me.page.click("button[role=tab]:has-text('Correct')")
    me.await_count(".dx-edit", 4)
    me.see(".shelf figure, .shelf-empty")
    return me


def test_boxes_are_moved_named_drawn_and_deleted(visit: Visits) -> None:
    me = correcting(visit)
    me.click(0.45, 0.4)
    field = me.see(".dx-menu input")
    field.fill("collie")
    field.press("Enter")
    me.see(".dx-edit-tag", "collie")
    me.take("box")
    me.drag((0.8, 0.8), (0.95, 0.95))
    me.await_count(".dx-edit", 5)
    me.see(".dx-menu input").fill("shoe")
    me.page.keyboard.press("Enter")
    me.see(".dx-edit-tag", "5 shoe")
    me.page.keyboard.press("Delete")
    me.await_count(".dx-edit", 4)
    me.page.keyboard.press("Control+z")
    me.await_count(".dx-edit", 5)
    me.page.click("[data-act=clear]")
    me.await_count(".dx-edit", 0)
    me.gone(".ed-links")
    me.page.click("[data-act=undo]")
    me.await_count(".dx-edit", 5)


def select_words(me: Visitor, words: str) -> None:
    """Selects words of the caption, as a mouse would."""
    me.evaluate(
        """words => {
             const field = document.querySelector('.ed-text'); field.focus();
             const walker = document.createTreeWalker(field, NodeFilter.SHOW_TEXT);
             for (let node = walker.nextNode(); node; node = walker.nextNode()) {
               const at = node.data.indexOf(words);
               if (at < 0) continue;
               const range = document.createRange();
               range.setStart(node, at); range.setEnd(node, at + words.length);
               const selection = getSelection();
               selection.removeAllRanges(); selection.addRange(range);
               return;
             } }""",
        words,
    )


def test_words_are_linked_to_boxes_and_saved(visit: Visits) -> None:
    me = correcting(visit)
    before = me.count(".shelf figure")
    select_words(me, "the grass")
    me.page.click(".ed-chips button:has-text('2')")
    me.see(".ed-ph", "the grass")
    me.click(0.45, 0.4)
    me.see(".dx-menu input").fill("collie")
    me.page.keyboard.press("Enter")
    me.page.click("#save")
    me.see("#said .done")
    me.await_count(".shelf figure", before + 1)
    me.page.click("button[role=tab]:has-text('Ask')")
    me.see("#chat .ph", "the grass")
    me.open_sample(1)
    me.page.click("button[role=tab]:has-text('Correct')")
    me.page.click(".shelf figure button >> nth=0")
    me.see(".ed-ph", "the grass")
    me.await_count(".dx-edit", 4)
    me.see(".dx-edit-tag", "collie")
    remove = me.page.locator(".shelf figure button").nth(1)
    remove.click()
    me.page.locator(".shelf .sure").click()
    me.await_count(".shelf figure", before)


def test_what_is_typed_stays_whatever_arrives_meanwhile(visit: Visits) -> None:
    me = correcting(visit)
    me.page.set_input_files(
        ".dx-file", [{"name": "slow.jpg", "mimeType": "image/jpeg", "buffer": picture(305)}]
    )
    me.looks_at("slow.jpg")
    me.page.locator(".ed-text").fill("A grey slope.")
    me.page.wait_for_function(  # the server has said all it had to say
        "document.querySelector('.dx-status').textContent.includes('ready')"
    )
    me.take("box")
    me.drag((0.2, 0.2), (0.6, 0.6))
    field = me.see(".dx-menu input")
    field.type("slope")
    me.page.click("#save")  # while the label is still being typed
    me.see("#said .done")
    assert me.text(".ed-text") == "A grey slope."
    me.see(".dx-edit-tag", "1 slope")
    me.page.click("button[role=tab]:has-text('Ask')")
    me.see("#chat .bot.message", "A grey slope.")
    me.see(".dx-chip", "slope")


def test_a_correction_is_there_again_after_looking_elsewhere(visit: Visits) -> None:
    me = correcting(visit)
    me.click(0.45, 0.4)
    me.page.keyboard.press("Delete")
    me.await_count(".dx-edit", 3)
    me.page.locator(".ed-text").fill("Nobody.")
    for tab in ("Ask", "Teach"):
        me.page.click(f"button[role=tab]:has-text('{tab}')")
        me.await_count(".dx-edit", 0)
        me.page.click("button[role=tab]:has-text('Correct')")
        me.await_count(".dx-edit", 3)
        assert me.text(".ed-text") == "Nobody."
    me.page.click(".ed-renew")
    me.see(".ed-renew", "Discard")
    me.page.click(".ed-hint")  # thought better of it
    me.see(".ed-renew", "Start over")
    me.await_count(".dx-edit", 3)
    me.page.dblclick(".ed-renew")
    me.await_count(".dx-edit", 4)
    me.see(".ed-renew", "Start over")
    assert me.text(".ed-text").startswith("A black and white dog")


def test_saving_is_seen_and_one_click_saves_once(visit: Visits) -> None:
    me = correcting(visit)
    before = me.count(".shelf figure")
    release = me.hold_requests("**/queue/join*")
    me.page.dblclick("#save")
    assert me.see("#save[aria-busy=true]").inner_text().strip() == "Saving …"
    release()
    me.see("#save[aria-busy=false]", "Save as example")
    me.await_count(".shelf figure", before + 1)


def test_reopening_is_seen(visit: Visits) -> None:
    me = correcting(visit)
    me.page.click("#save")
    me.see("#said .done")
    release = me.hold_requests("**/queue/join*")
    me.page.locator(".shelf figure button").first.click()
    assert "Reading" in me.see(".dx-busy").inner_text()
    release()
    me.gone(".dx-busy")
    me.await_count(".dx-edit", 4)


def test_a_box_without_a_label_is_refused_beside_the_button(visit: Visits) -> None:
    me = correcting(visit)
    me.take("box")
    me.drag((0.8, 0.8), (0.95, 0.95))
    me.page.keyboard.press("Escape")
    me.page.click("#save")
    assert "no label" in me.see("#said .trouble").inner_text()


def test_leaving_shows_the_answer_again(visit: Visits) -> None:
    me = correcting(visit)
    me.page.click("button[role=tab]:has-text('Ask')")
    me.await_count(".dx-edit", 0)
    me.see(".dx-chip")
    me.click(0.5, 0.5)
    me.answered(2)


def test_boxes_are_moved_and_resized_by_mouse_and_labels_suggested(visit: Visits) -> None:
    me = correcting(visit)
    frame = me.frame()
    me.take("box")
    me.drag((0.8, 0.8), (0.9, 0.9))
    me.see(".dx-menu input").fill("shoe")
    offered = me.evaluate("[...document.querySelectorAll('#dx-labels option')].map(o => o.value)")
    assert offered == ["dog", "person", "frisbee"]
    assert me.page.get_attribute(".dx-menu input", "list") == "dx-labels"
    me.page.keyboard.press("Enter")
    me.drag((0.85, 0.85), (0.8, 0.8))  # its middle
    me.drag((0.85, 0.85), (0.9, 0.95))  # its corner
    box = me.frame(".dx-edit")
    x, y = me.place(0.75, 0.75)
    assert (box["x"], box["y"]) == pytest.approx((x, y), abs=3)
    assert box["width"] == pytest.approx(0.15 * frame["width"], abs=4)
    assert box["height"] == pytest.approx(0.2 * frame["height"], abs=4)


def test_the_conversation_is_taken_home_in_every_form(visit: Visits, tmp_path: Path) -> None:
    me = correcting(visit)
    me.page.click("#takeout button:has-text('Take home')")
    names = {"coco": "deixis-coco.json", "jsonl": "deixis-turns.jsonl", "csv": "deixis-boxes.csv"}
    for label, form in words.EXPORT_FORMS:
        me.page.click("#takeout input[role=combobox]")
        me.page.click(f"ul[role=listbox] li:has-text('{label}')")
        me.page.click("button:has-text('Make the file')")
        link = me.see(f"#takeout a[download='{names.get(form, f'deixis.{form}')}']")
        with me.page.expect_download(timeout=PATIENCE) as download:
            link.click()
        download.value.save_as(tmp_path / form)
        assert (tmp_path / form).stat().st_size > 100, form
    assert len(json.loads((tmp_path / "coco").read_text())["annotations"]) == 4


def test_many_pictures_are_gone_through_by_keyboard(visit: Visits) -> None:
    me = correcting(visit)
    before = me.count(".shelf figure")
    files = [("one.jpg", 300), ("two.jpg", 310), ("three.jpg", 320)]
    me.page.set_input_files(
        ".dx-file",
        [{"name": n, "mimeType": "image/jpeg", "buffer": picture(w)} for n, w in files],
    )
    me.looks_at("one.jpg")
    me.see("[data-act=next]", "Next (2)")
    me.page.locator(".ed-question").fill("Describe this picture.")
    me.page.locator(".ed-text").fill("Grey.")
    me.page.keyboard.press("Control+Enter")  # fix and accept
    me.looks_at("two.jpg")
    me.await_count(".dx-edit", 4)  # the same question was asked of it
    me.page.keyboard.press("]")
    me.see(".dx-edit.dx-on")
    me.page.keyboard.press("Delete")
    me.await_count(".dx-edit", 3)
    me.page.keyboard.press("Control+Enter")  # fix and accept
    me.looks_at("three.jpg")
    me.await_count(".dx-edit", 4)
    me.await_count(".shelf figure", before + 2)
    assert not me.page.locator("[data-act=next]").is_visible()
    me.page.keyboard.press("Control+Enter")  # accept
    me.await_count(".shelf figure", before + 3)
