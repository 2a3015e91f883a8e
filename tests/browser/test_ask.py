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


def test_the_look_is_chosen_in_the_settings(visit: Visits) -> None:
    me = visit()
    me.ask("Describe this picture.")
    me.answered()
    shown = "document.querySelector('.dx-picture').src"
    seen = [me.evaluate(shown)]
    me.page.click("#settings button")
    for choice in ("Box", "Corners", "Heat map of the words"):
        me.page.click(f"#settings label:has-text('{choice}')")
        me.page.wait_for_function(f"last => {shown} !== last", arg=seen[-1], timeout=PATIENCE)
        seen.append(me.evaluate(shown))
    assert len(set(seen)) == 4


def test_how_fast_a_click_is_answered_is_told_before_the_next(visit: Visits) -> None:
    me = visit()
    me.click(0.4, 0.5)
    me.answered()
    assert "click answered in" in me.text(".dx-status")
    me.open_sample(1)
    me.see(".dx-status", "a click answers in")


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
    hint = "getComputedStyle(document.querySelector('.dx-chips'), '::before').content"
    assert "lower the threshold" in me.evaluate(hint)


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


def test_who_listens_hears_what_is_shown(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    assert me.page.get_by_role("button", name="Ask", exact=True).count() == 1
    for tool in ("Point", "Scribble", "Brush"):  # what is seen is what one says to press it
        assert me.page.get_by_role("button", name=tool, exact=True).count() == 1
    me.ask("Describe this picture.")
    me.answered()
    me.await_count("#chat [data-testid=bot]", 1)
    me.await_count("#chat [data-testid=bot][aria-label], #chat [data-testid=user][aria-label]", 0)


def test_a_question_can_be_edited(visit: Visits) -> None:
    me = visit()
    me.ask("Describe this picture.")
    me.answered()
    me.ask("the dog")
    me.answered(2)
    me.page.locator("#chat button[title='Edit']").first.click()
    field = me.see("#chat textarea")
    assert field.input_value() == "Describe this picture."
    field.fill("the grass")
    me.page.locator("#chat button[title='Submit']").click()
    me.answered()
    assert me.text("#chat .user.message") == "the grass"
    assert "the grass" in me.text("#chat .ph")


def test_a_question_with_a_mark_is_edited_as_it_was_asked(visit: Visits) -> None:
    me = visit()
    me.click(0.5, 0.5)
    me.answered()
    me.page.locator("#chat button[title='Edit']").click()
    assert me.see("#chat textarea").input_value() == "What is @1?"
    me.page.locator("#chat button[title='Submit']").click()
    me.gone("#chat textarea")
    me.answered()
    assert me.text("#chat .user.message") == "What is @1?"
    me.await_count("#chat .mk.m1", 1)  # Gradio shows the bare text until the answer begins


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
