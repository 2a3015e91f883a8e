"""Asking, with a real mouse, keyboard and finger."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visits
from tests.browser.visitor import PATIENCE

pytestmark = pytest.mark.browser


def test_the_page_is_understood_at_once(visit: Visits) -> None:
    me = visit()
    assert me.text(".brand h1") == "Deixis"
    assert "fake-tiny" in me.text(".brand .model")
    assert me.count(".dx-samples button") >= 6
    assert me.page.locator(".dx-picture").is_visible()
    assert me.count(".dx-hint") == 1
    assert me.count("#starters button") == 3
    assert "Click on the picture" in me.text("#chat")


def test_a_click_names_the_thing_and_draws_its_box(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    assert me.count(".dx-hint") == 1
    me.click(0.4, 0.5)
    me.answered()
    assert me.text("#chat .user.message") == "What is @1?"
    assert "a dog" in me.text("#chat .bot.message")
    assert me.count(".dx-plus") == 1
    assert me.count(".dx-hint") == 0
    assert "a dog" in me.text(".dx-chip")
    assert "0.88" in me.text(".dx-chip")
    assert "answered in" in me.text(".dx-status")
    assert me.evaluate("document.querySelector('.dx-picture').src.length") > 10_000


def test_right_click_rules_out_and_asks_again(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.click(0.2, 0.2, button="right")
    assert "First click" in me.see(".dx-notice").inner_text()
    me.click(0.4, 0.5)
    me.answered()
    me.click(0.6, 0.8, button="right")
    me.answered(2)
    assert me.count(".dx-minus") == 1
    assert me.count(".dx-name") == 1


@pytest.mark.parametrize("zooms", [0, 3])
def test_a_drawn_box_is_exact_at_every_zoom(visit: Visits, zooms: int) -> None:
    me = visit()
    me.open_sample(1)
    for _ in range(zooms):
        me.page.click("[data-act=zoom_in]")
    me.take("box")
    box = (0.42, 0.45, 0.6, 0.58)
    me.drag(box[:2], box[2:])
    me.page.click(".dx-menu .dx-first")
    me.answered()
    me.page.hover(".ph.g1")
    me.see(".dx-lit")
    (lit,) = me.lit()
    frame = me.frame()
    for key, side, size in zip(
        ("x0", "y0", "x1", "y1"), box, (frame["width"], frame["height"]) * 2, strict=True
    ):
        assert abs(lit[key] - side) * size <= 1.5, key


def test_scribble_and_brush_are_marks_too(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.take("scribble")
    me.drag((0.3, 0.3), (0.4, 0.5), (0.5, 0.4))
    me.page.click(".dx-menu .dx-first")
    me.answered()
    me.take("mask")
    me.drag((0.6, 0.6), (0.7, 0.7))
    me.page.click(".dx-menu button:has-text('Segment')")
    me.answered(2)
    assert me.count(".dx-name") == 2
    assert "Segment @2." in me.page.locator("#chat .user.message").last.inner_text()


def test_undo_redo_delete_and_clear(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.take("box")
    me.drag((0.1, 0.1), (0.3, 0.3))
    me.drag((0.5, 0.5), (0.7, 0.7))
    me.await_count(".dx-name", 2)
    me.page.keyboard.press("Control+z")
    me.await_count(".dx-name", 1)
    me.page.keyboard.press("Control+Shift+z")
    me.await_count(".dx-name", 2)
    me.take("select")
    me.click(0.6, 0.6)
    me.page.keyboard.press("Delete")
    me.await_count(".dx-name", 1)
    me.page.click("[data-act=clear]")
    me.await_count(".dx-name", 0)
    me.page.click("[data-act=undo]")
    me.await_count(".dx-name", 1)


def test_a_mark_can_be_moved_and_resized(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.take("box")
    me.drag((0.2, 0.2), (0.4, 0.4))
    me.take("select")
    me.drag((0.3, 0.3), (0.4, 0.4))
    me.drag((0.5, 0.5), (0.6, 0.7))
    me.page.click(".dx-menu .dx-first")
    me.answered()
    me.page.hover(".ph.g1")
    me.see(".dx-lit")
    (lit,) = me.lit()
    assert [round(lit[key], 2) for key in ("x0", "y0", "x1", "y1")] == [0.3, 0.3, 0.6, 0.7]


def test_phrases_and_boxes_light_each_other_up(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    assert me.count(".ph") == 3
    me.page.hover(".ph.g2")
    me.see(".dx-lit")
    assert me.count(".dx-chip.hot.g2") == 1
    me.page.mouse.move(5, 5)
    me.await_count(".dx-lit", 0)
    me.page.mouse.move(*me.place(0.4, 0.8))
    me.see(".ph.g2.hot")
    me.page.focus(".ph.g3")
    me.await_count(".dx-lit", 2)
    me.page.keyboard.press("Enter")
    me.page.focus("#question textarea")
    me.await_count(".dx-lit", 2)


def test_a_phrase_of_an_older_answer_brings_it_back(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    me.ask("find all dogs")
    me.answered(2)
    assert "dogs" in me.text(".dx-chip")
    me.page.click(".ph.x1.g1")
    me.see(".dx-chip", "black and white dog")
    me.await_count(".dx-lit", 1)


def test_the_threshold_filters_at_once(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("find all dogs")
    me.answered()
    assert "×2" in me.text(".dx-chip")
    assert "2 of 3" in me.text(".dx-sift output")
    me.page.focus(".dx-sift input")
    me.page.keyboard.press("Home")
    me.see(".dx-chip", "×3")
    me.see("#chat .ph", "×3")
    me.page.keyboard.press("End")
    me.await_count(".dx-chip", 0)
    me.see("#chat .absent")


def test_what_is_not_there_is_said_plainly(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("the unicorn")
    me.answered()
    assert "Not present" in me.text("#chat .absent")
    me.ask("what is @9?")
    assert "no @9" in me.see("#trouble .trouble").inner_text()
    assert me.page.input_value("#question textarea") == "what is @9?"
    me.ask("   ")
    assert "Type a question" in me.see("#trouble .trouble", "Type a").inner_text()
    me.ask("x" * 3000)
    assert "3000 characters" in me.see("#trouble .trouble", "3000").inner_text()


def test_an_answer_streams_and_can_be_stopped(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this slowly.")
    me.see("#chat .caret")
    me.page.click("#question .stop-button")
    me.answered()
    me.see("#chat .note", "stopped")
    assert "between two people" not in me.text("#chat .bot.message")


def test_retry_and_clear(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    me.page.click("[data-act=play]")
    me.see(".dx-word")
    me.page.click("#chat button[title='Retry']")
    me.await_count(".dx-word", 0)  # only a new answer ends the play of the words at once
    me.answered()
    me.page.click("#chat button[aria-label='Clear'], #chat button[title='Clear']")
    me.await_count("#chat .message", 0)
    me.see("#starters button")
    me.await_count(".dx-chip", 0)


def test_a_question_can_be_edited(visit: Visits) -> None:
    me = visit()
    me.ask("Describe this picture.")
    me.answered()
    me.ask("the dog")
    me.answered(2)
    me.page.locator("#chat button[title='Edit']").first.click()
    field = me.see("#chat textarea")
    field.fill("the grass")
    me.page.locator("#chat button[title='Submit']").click()
    me.answered()
    assert me.text("#chat .user.message") == "the grass"
    assert "the grass" in me.text("#chat .ph")


def test_starters_and_quick_actions(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.page.click("#starters button >> nth=0")
    me.answered()
    assert me.count(".dx-plus") == 1
    me.page.click("#quick button:has-text('Find all')")
    me.page.wait_for_function(
        "document.querySelector('#question textarea').value === 'Find all '", timeout=PATIENCE
    )
    me.page.click("#quick button:has-text('Pose')")
    me.answered(2)
    assert "pose of @1" in me.page.locator("#chat .user.message").last.inner_text()


def test_marks_are_offered_while_typing(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.take("box")
    me.drag((0.1, 0.1), (0.3, 0.3))
    me.drag((0.5, 0.5), (0.7, 0.7))
    me.page.focus("#question textarea")
    me.page.keyboard.type("is @")
    me.await_count(".suggest button", 2)
    me.page.focus(".dx-stage")
    me.gone(".suggest")
    me.page.focus("#question textarea")
    me.see(".suggest button")
    me.page.keyboard.press("ArrowDown")
    me.page.keyboard.press("Enter")
    assert me.page.input_value("#question textarea") == "is @2 "
    me.page.keyboard.type("a dog?")
    me.page.keyboard.press("Enter")
    me.answered()
    assert me.text("#chat .mk") == "@2"


def test_the_words_can_be_played(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    me.page.click("[data-act=play]")
    me.see(".dx-word")
    assert me.text(".dx-word-tag") in {"A", "black", "and"}
    me.page.click("[data-act=play]")
    me.await_count(".dx-word", 0)


def test_everything_works_by_keyboard(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    me.page.focus(".dx-stage")
    me.page.keyboard.press("ArrowRight")
    me.see(".dx-lit")
    assert "1 of 4" in me.evaluate("document.querySelector('.dx-heard').textContent")
    me.page.keyboard.press("Escape")
    me.await_count(".dx-lit", 0)
    me.page.keyboard.press("b")
    assert me.page.get_attribute("[data-tool=box]", "aria-pressed") == "true"
    before = me.frame()["width"]
    me.page.keyboard.press("+")
    me.page.wait_for_function(
        f"document.querySelector('.dx-picture').getBoundingClientRect().width > {before + 5}"
    )
    me.page.keyboard.press("0")


def test_what_is_asked_while_the_line_closes_is_answered_at_once(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    closed = me.hold_answers()
    me.click(0.4, 0.5)
    while not closed:  # the server has answered and closed; the page does not know yet
        me.page.wait_for_timeout(20)
    with me.page.expect_response("**/queue/join*"):
        me.click(0.6, 0.6)
    me.page.wait_for_timeout(200)
    with me.page.expect_request("**/queue/join*") as nudge:
        closed[0]()
    assert nudge.value.post_data_json["event_data"] == {}  # not the clock that looks now and then
    me.answered(2)


def test_a_finger_taps_and_presses_long(visit: Visits) -> None:
    me = visit(390, 844, phone=True)
    me.page.locator(".dx-samples button").first.tap()
    me.see(".dx-status", "encoded")
    me.page.touchscreen.tap(*me.place(0.4, 0.5))
    me.answered()
    assert me.count(".dx-plus") == 1
    x, y = me.place(0.6, 0.7)
    touch = {"pointerId": 7, "pointerType": "touch", "isPrimary": True, "clientX": x, "clientY": y}
    me.page.dispatch_event(".dx-stage", "pointerdown", {**touch, "bubbles": True})
    me.await_count(".dx-minus", 1)
    me.page.dispatch_event(".dx-stage", "pointerup", {**touch, "bubbles": True})
    me.answered(2)


def test_two_fingers_zoom_and_one_moves(visit: Visits) -> None:
    me = visit(390, 844, phone=True)
    before = me.frame()
    touch = me.page.context.new_cdp_session(me.page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    (x, y), gap = me.place(0.5, 0.5), 30
    fingers("touchStart", (x - gap, y), (x + gap, y))
    for wide in (40, 60, 80):
        fingers("touchMove", (x - wide, y), (x + wide, y))
    fingers("touchEnd")
    me.page.wait_for_function(
        "w => document.querySelector('.dx-picture').getBoundingClientRect().width > w",
        arg=2 * before["width"],
        timeout=PATIENCE,
    )
    assert me.count(".dx-name") == 0
    assert me.place(0.5, 0.5) == pytest.approx((x, y), abs=8)
