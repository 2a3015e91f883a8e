"""The canvas in real hands: mouse, finger and keyboard draw, move, zoom and point."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.browser.conftest import Visits
from tests.browser.test_pictures import picture, send
from tests.browser.visitor import PATIENCE, Visitor

pytestmark = pytest.mark.browser

PAINTED = """() => { const c = document.querySelector('.dx-ink');
  const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});
  copy.drawImage(c, 0, 0);
  const d = copy.getImageData(0, 0, c.width, c.height).data;
  let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"""
"""How many pixels the brush has painted."""


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


def draw_exactly(me: Visitor, box: tuple[float, float, float, float]) -> None:
    """Draws a box, has it answered, and compares what is lit up with what was drawn."""
    lit, frame = me.ask_about(box), me.frame()
    for key, side, size in zip(
        ("x0", "y0", "x1", "y1"), box, (frame["width"], frame["height"]) * 2, strict=True
    ):
        assert abs(lit[key] - side) * size <= 1.5, key


@pytest.mark.parametrize("zooms", [0, 3])
def test_a_drawn_box_is_exact_at_every_zoom(visit: Visits, zooms: int) -> None:
    me = visit()
    me.open_sample(1)
    for _ in range(zooms):
        me.page.click("[data-act=zoom_in]")
    draw_exactly(me, (0.42, 0.45, 0.6, 0.58))


@pytest.mark.parametrize("turn", [1, 6])
def test_a_drawn_box_is_exact_on_a_turned_and_on_a_tall_picture(visit: Visits, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    sides = (200, 320) if turn == 1 else (320, 200)  # both stand upright in the end
    me = visit()
    send(me, "tall.jpg", picture(*sides, exif=exif.tobytes()))
    me.looks_at("tall.jpg")
    me.see(".dx-status", "ready")
    frame = me.frame()
    assert frame["height"] > frame["width"]
    draw_exactly(me, (0.2, 0.55, 0.7, 0.85))


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
    painted = me.evaluate(PAINTED)
    me.page.mouse.move(*me.place(0.6, 0.6))
    me.page.mouse.down(button="right")
    me.page.mouse.move(*me.place(0.65, 0.65), steps=4)
    me.page.mouse.up(button="right")
    me.page.wait_for_function(f"({PAINTED})() < {0.8 * painted}")
    assert me.count(".dx-name") == 2


def test_undo_redo_delete_and_clear(visit: Visits) -> None:
    idle = ".dx-acts [aria-disabled=true]"
    me = visit()
    me.open_sample()
    me.await_count(idle, 3)
    me.take("box")
    me.drag((0.1, 0.1), (0.3, 0.3))
    me.drag((0.5, 0.5), (0.7, 0.7))
    me.await_count(".dx-name", 2)
    me.await_count(idle, 1)
    assert me.page.get_attribute(idle, "data-act") == "redo"
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


def test_a_finger_taps_and_presses_long(visit: Visits) -> None:
    me = visit(390, 844, phone=True)
    me.page.locator(".dx-samples button").first.tap()
    me.see(".dx-status", "ready")
    me.page.touchscreen.tap(*me.place(0.4, 0.5))
    me.answered()
    assert me.count(".dx-plus") == 1
    me.fingers("touchStart", me.place(0.6, 0.7))
    me.await_count(".dx-minus", 1)
    me.fingers("touchEnd")
    me.answered(2)


def test_a_tap_on_a_phrase_or_a_box_lights_both_up(visit: Visits) -> None:
    me = visit(390, 844, phone=True)
    me.ask("Describe this picture.")
    me.answered()
    me.page.locator(".ph.g2").tap()
    me.see(".dx-chip.hot.g2")
    me.await_count(".dx-lit", 1)
    me.page.locator(".ph.g2").tap()
    me.await_count(".dx-lit", 0)
    me.page.locator("[data-tool=select]").tap()
    me.page.locator(".dx-stage").scroll_into_view_if_needed()
    me.page.touchscreen.tap(*me.place(0.4, 0.8))
    me.see(".ph.g2.hot")


def test_two_fingers_zoom_and_one_moves(visit: Visits) -> None:
    me = visit(390, 844, phone=True)
    before = me.frame()
    (x, y), gap = me.place(0.5, 0.5), 30
    me.fingers("touchStart", (x - gap, y), (x + gap, y))
    for wide in (40, 60, 80):
        me.fingers("touchMove", (x - wide, y), (x + wide, y))
    me.fingers("touchEnd")
    me.page.wait_for_function(
        "w => document.querySelector('.dx-picture').getBoundingClientRect().width > w",
        arg=2 * before["width"],
        timeout=PATIENCE,
    )
    assert me.count(".dx-name") == 0
    assert me.place(0.5, 0.5) == pytest.approx((x, y), abs=8)
    me.page.locator("[data-tool=select]").tap()
    there = me.frame()
    me.fingers("touchStart", (x, y))
    for step in (10, 25, 40):
        me.fingers("touchMove", (x + step, y + step))
    me.fingers("touchEnd")
    me.page.wait_for_function(
        "x => document.querySelector('.dx-picture').getBoundingClientRect().x > x + 15",
        arg=there["x"],
        timeout=PATIENCE,
    )
    assert me.count(".dx-name") == 0


def test_a_large_picture_is_moved_by_wheel_hand_and_arrows(visit: Visits) -> None:
    me = visit()
    me.open_sample(1)
    me.page.mouse.move(*me.place(0.5, 0.5))
    me.page.keyboard.down("Control")
    me.page.mouse.wheel(0, -240)
    me.page.keyboard.up("Control")
    moved = "x => document.querySelector('.dx-picture').getBoundingClientRect().x < x - 15"
    wide = "document.querySelector('.dx-picture').getBoundingClientRect().width > 1200"
    me.page.wait_for_function(wide)
    there = me.frame()["x"]
    me.page.mouse.wheel(40, 0)
    me.page.wait_for_function(moved, arg=there)
    there = me.frame()["x"]
    me.page.focus(".dx-stage")
    me.page.keyboard.press("ArrowRight")
    me.page.wait_for_function(moved, arg=there)
    there = me.frame()["x"]
    me.page.keyboard.down("Space")
    frame = me.frame(".dx-stage")
    x, y = frame["x"] + 300, frame["y"] + 200
    me.page.mouse.move(x, y)
    me.page.mouse.down()
    me.page.mouse.move(x - 60, y, steps=4)
    me.page.mouse.up()
    me.page.keyboard.up("Space")
    me.page.wait_for_function(moved, arg=there)
    assert me.count(".dx-name") == 0


def test_the_keyboard_points_and_draws(visit: Visits) -> None:
    me = visit()
    me.page.focus(".dx-stage")
    me.page.keyboard.press("Enter")
    me.page.keyboard.press("Escape")
    me.page.keyboard.press("ArrowLeft")
    assert me.count(".dx-name") == 0
    me.page.keyboard.press("Enter")
    for _ in range(3):
        me.page.keyboard.press("ArrowLeft")
    me.page.keyboard.press("Shift+ArrowUp")
    me.page.keyboard.press("Enter")
    me.answered()
    frame = me.frame()
    point = me.frame(".dx-plus")
    assert point["x"] + point["width"] / 2 == pytest.approx(me.place(0.5, 0.5)[0] - 60, abs=2)
    assert point["y"] + point["height"] / 2 == pytest.approx(me.place(0.5, 0.5)[1] - 4, abs=2)
    me.page.focus(".dx-stage")
    me.page.keyboard.press("Enter")
    me.page.keyboard.press("Shift+Enter")  # rules out
    me.answered(2)
    assert me.count(".dx-minus") == 1
    me.page.focus(".dx-stage")
    me.page.keyboard.press("b")
    me.page.keyboard.press("Enter")
    me.page.keyboard.press("Enter")  # the first corner
    for _ in range(4):
        me.page.keyboard.press("ArrowRight")
        me.page.keyboard.press("ArrowDown")
    me.page.keyboard.press("Enter")
    me.page.wait_for_function("document.activeElement.matches('.dx-menu button')")
    me.page.keyboard.press("Enter")  # asks what it is
    me.answered(3)
    me.page.hover("#chat .ph >> nth=-1")
    me.see(".dx-lit")
    (lit,) = me.lit()
    assert (lit["x1"] - lit["x0"]) * frame["width"] == pytest.approx(80, abs=2)
    assert (lit["y1"] - lit["y0"]) * frame["height"] == pytest.approx(80, abs=2)


def test_an_answer_that_arrives_leaves_what_is_being_drawn(visit: Visits) -> None:
    me = visit()
    me.take("box")
    me.ask("Describe this slowly.")
    me.see("#chat .caret")
    me.page.mouse.move(*me.place(0.2, 0.2))
    me.page.mouse.down()
    me.page.mouse.move(*me.place(0.4, 0.4), steps=4)
    me.answered()  # with the button still down
    me.page.mouse.move(*me.place(0.5, 0.6), steps=4)
    me.page.mouse.up()
    me.see(".dx-name", "@1")
    me.page.click(".dx-menu .dx-first")
    me.answered(2)
    me.page.hover("#chat .ph >> nth=-1")
    me.see(".dx-lit")
    (lit,) = me.lit()
    drawn = [round(lit[key], 2) for key in ("x0", "y0", "x1", "y1")]
    assert drawn == [0.2, 0.2, 0.5, 0.6]
