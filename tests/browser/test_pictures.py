"""How pictures come in, and that nothing of them runs or leaks."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import Visits
from tests.browser.visitor import Visitor
from tests.fakes import HOSTILE

pytestmark = pytest.mark.browser


def picture(width: int = 320, height: int = 200, **options: object) -> bytes:
    out = BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(out, "JPEG", **options)  # type: ignore[arg-type]
    return out.getvalue()


def send(me: Visitor, name: str, content: bytes, kind: str = "image/jpeg") -> None:
    me.page.set_input_files(".dx-file", [{"name": name, "mimeType": kind, "buffer": content}])


def hand_over(me: Visitor, event: str, content: bytes) -> None:
    """Pastes or drops a file."""
    me.evaluate(
        """([event, bytes]) => {
             const data = new DataTransfer();
             data.items.add(new File([new Uint8Array(bytes)], 'x.jpg', {type: 'image/jpeg'}));
             const target = document.querySelector('.dx-stage');
             const init = {bubbles: true, cancelable: true};
             target.dispatchEvent(event === 'drop'
               ? new DragEvent('drop', {...init, dataTransfer: data})
               : new ClipboardEvent('paste', {...init, clipboardData: data})); }""",
        [event, list(content)],
    )


def natural(me: Visitor) -> list[int]:
    return me.evaluate(
        "() => { const p = document.querySelector('.dx-picture');"
        " return [p.naturalWidth, p.naturalHeight]; }"
    )


def test_a_chosen_picture_is_shown_and_asked(visit: Visits) -> None:
    me = visit()
    send(me, "mine.jpg", picture())
    me.see(".dx-status", "ready")
    assert natural(me) == [320, 200]
    assert me.page.get_attribute(".dx-picture", "alt") == "mine.jpg"
    me.click(0.5, 0.5)
    me.answered()


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_picture_can_be_pasted_and_dropped(visit: Visits, event: str) -> None:
    me = visit()
    hand_over(me, event, picture())
    me.see(".dx-status", "ready")
    assert natural(me) == [320, 200]


def test_opening_is_seen(visit: Visits) -> None:
    me = visit()
    release = me.hold_requests("**/queue/join*")
    me.page.locator(".dx-samples button").nth(2).click()
    assert "Reading" in me.see(".dx-busy").inner_text()
    ring = "getComputedStyle(document.querySelector('.dx-busy i')).borderTopWidth"
    assert me.evaluate(ring) != "0px"
    assert me.text(".dx-status") == ""  # what was said of the last picture
    release()
    me.gone(".dx-busy")
    me.see(".dx-status", "ready")


def test_a_sample_is_marked_while_it_is_on_display(visit: Visits) -> None:
    me = visit()
    marked = ".dx-samples button[aria-current=true]"
    assert me.page.get_attribute(marked, "title") == "Dog with a frisbee"
    send(me, "broken.jpg", picture()[:200])
    me.see(".dx-notice")
    me.await_count(marked, 1)
    send(me, "mine.jpg", picture())
    me.looks_at("mine.jpg")
    me.await_count(marked, 0)


def test_a_turned_photograph_stands_upright(visit: Visits) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    me = visit()
    send(me, "phone.jpg", picture(exif=exif.tobytes()))
    me.see(".dx-status", "ready")
    assert natural(me) == [200, 320]


def test_a_large_picture_stays_exact(visit: Visits) -> None:
    me = visit()
    send(me, "large.jpg", picture(4000, 3000))
    me.see(".dx-status", "ready")
    for _ in range(4):
        me.page.click("[data-act=zoom_in]")
    box = (0.45, 0.46, 0.55, 0.56)
    lit = me.ask_about(box)
    assert [round(lit[key], 3) for key in ("x0", "y0", "x1", "y1")] == pytest.approx(box, abs=0.002)


def test_what_is_no_picture_is_refused_beside_the_picture(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    send(me, "broken.jpg", picture()[:200])
    assert "damaged" in me.see(".dx-notice").inner_text()
    send(me, "note.txt", b"hello", "text/plain")
    assert "not a picture" in me.see(".dx-notice", "not a picture").inner_text()
    send(me, "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")
    assert "SVG" in me.see(".dx-notice", "SVG").inner_text()
    me.page.click(".dx-notice button")
    me.gone(".dx-notice")
    send(me, "broken.jpg", picture()[:200])
    me.see(".dx-notice")
    me.click(0.5, 0.5)  # who goes on has read it
    me.gone(".dx-notice")
    me.answered()


def test_hostile_words_and_names_are_inert_everywhere(visit: Visits) -> None:
    me = visit()
    send(me, f"{HOSTILE[:90].replace('/', '')}.jpg", picture())
    me.see(".dx-status", "ready")
    me.ask("be hostile @ <img src=x onerror=window.canary=1>")
    me.answered()
    assert "<img src=x" in me.text("#chat .bot.message")
    me.page.hover(".ph.g1")
    me.see(".dx-lit-tag")
    me.page.click("[data-act=play]")
    me.see(".dx-word-tag")
    me.ask(f"find all {HOSTILE}")
    me.answered(2)
    me.page.click("button[role=tab]:has-text('Correct')")
    me.see(".dx-edit")
    me.page.focus(".dx-stage")
    me.page.keyboard.press("]")
    me.see(".dx-menu input").fill(HOSTILE[:100])
    me.page.keyboard.press("Enter")
    me.see(".dx-edit-tag", "<img src=x")
    me.page.click("#save")
    me.see("#said .done")
    me.see(".shelf figcaption", "<img src=x")
    me.page.locator(".shelf figure button").first.click()
    me.see(".ed-text", "<img src=x")
    me.page.click("button[role=tab]:has-text('Teach')")
    assert "<img src=x" in me.see("#report table").inner_text()  # the name of a class
    me.see("#sheet .album-key", "<img src=x")
    assert me.evaluate("window.canary") is None
    assert me.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0


def test_a_phone_offers_its_camera(visit: Visits) -> None:
    desk, me = visit(), visit(390, 844, phone=True)
    assert not desk.page.locator("[data-act=camera]").is_visible()
    with me.page.expect_file_chooser() as chosen:
        me.see("[data-act=camera]").tap()
    assert chosen.value.element.get_attribute("capture") == "environment"
    photograph = {"name": "taken.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    chosen.value.set_files([photograph])  # type: ignore[list-item]
    me.looks_at("taken.jpg")


def test_two_people_never_see_each_other(visit: Visits) -> None:
    me, you = visit(), visit(stranger=True)
    send(me, "mine.jpg", picture())
    me.looks_at("mine.jpg")
    me.click(0.5, 0.5)
    me.answered()
    assert you.page.get_attribute(".dx-picture", "alt") != "mine.jpg"
    assert you.count("#chat .message, .dx-name") == 0
    you.open_sample(1)
    you.ask("Describe this picture.")
    you.answered()
    assert you.count(".dx-name") == 0
    assert me.page.get_attribute(".dx-picture", "alt") == "mine.jpg"
    assert me.count("#chat .user.message") == 1
    assert "What is" in me.text("#chat .user.message")


def test_another_picture_begins_anew(visit: Visits, tmp_path: Path) -> None:
    me = visit()
    me.open_sample(0)
    me.click(0.5, 0.5)
    me.answered()
    me.open_sample(1)
    me.await_count("#chat .message", 0)
    assert me.count(".dx-name") == 0
    assert me.count(".dx-chip") == 0
    me.click(0.3, 0.3)
    me.answered()
    assert me.text("#chat .user.message") == "What is @1?"
