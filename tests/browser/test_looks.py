"""Whether the page fits, can be read and stays fluid."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visits

pytestmark = pytest.mark.browser

CONTRAST = """selector => {
  const channel = c => c <= 10.3 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const paint = stack => { canvas.clearRect(0, 0, 1, 1);
    for (const c of stack) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  return [...document.querySelectorAll(selector)].filter(e => e.checkVisibility()
      && e.innerText?.trim()).map(e => {
    const behind = []; for (let n = e; n; n = n.parentElement)
      behind.unshift(getComputedStyle(n).backgroundColor);
    const back = paint(['#fff', ...behind]);
    let seen = 1; for (let n = e; n; n = n.parentElement) seen *= getComputedStyle(n).opacity;
    const full = paint(['#fff', ...behind, getComputedStyle(e).color]);
    const front = full.map((c, i) => back[i] + (c - back[i]) * seen); // what fades is weaker
    const [a, b] = [light(back), light(front)].sort((x, y) => y - x);
    return [e.className + ' ' + e.innerText.slice(0, 30), (a + 0.05) / (b + 0.05)]; });
}"""
READ = (
    ".brand h1, .brand p, .brand .model, .dx-bar button, .dx-status, .dx-chip span, .dx-chip small,"
    " .dx-sift span, .dx-sift output, .dx-samples > span, #chat .message, #chat .ph, #chat .mk,"
    " #quick button, #starters button, button[role=tab], .ph .id, .trouble, .absent, .note"
)


BUTTONS_FIT = """() => [...document.querySelectorAll('.dx-bar button, #quick button')]
  .filter(e => e.checkVisibility()).every(e => { const r = e.getBoundingClientRect();
    return r.left >= 0 && r.right <= innerWidth && r.width >= 24 && r.height >= 24; })"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("widths", [(1440, 1024), (390,)])
def test_nothing_overflows_and_all_can_be_read(
    visit: Visits, widths: tuple[int, ...], theme: str
) -> None:
    phone = widths == (390,)
    me = visit(widths[0], 844 if phone else 900, theme, phone=phone)
    me.open_sample()
    me.ask("what is @9?")
    me.see("#trouble .trouble")
    weak = [pair for pair in me.evaluate(CONTRAST, READ) if pair[1] < 4.5]
    me.ask("Describe this picture.")
    me.answered()
    me.ask("the unicorn")
    me.answered(2)
    for width in widths:
        me.page.set_viewport_size({"width": width, "height": 844 if phone else 900})
        weak += [pair for pair in me.evaluate(CONTRAST, READ) if pair[1] < 4.5]
        assert weak == [], width
        assert me.evaluate("document.documentElement.scrollWidth") <= width
        assert me.evaluate(BUTTONS_FIT), width


def test_focus_can_be_seen(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("Describe this picture.")
    me.answered()
    for selector in (".dx-bar button", ".dx-samples button", ".dx-stage", ".ph", ".dx-chip"):
        me.page.locator(selector).first.focus()
        me.page.keyboard.press("Shift+Tab")
        me.page.keyboard.press("Tab")
        width = me.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 2, selector


def test_a_thousand_boxes_stay_fluid(visit: Visits) -> None:
    me = visit()
    me.open_sample()
    me.ask("show a thousand things")
    me.answered()
    assert "1000" in me.text(".dx-sift output")
    spent = me.evaluate(
        """async () => {
             const stage = document.querySelector('.dx-stage'), r = stage.getBoundingClientRect();
             const spent = [];
             for (let i = 0; i < 60; i++) {
               const started = performance.now();
               stage.dispatchEvent(new PointerEvent('pointermove', {bubbles: true,
                 pointerType: 'mouse', clientX: r.x + 100 + i * 9, clientY: r.y + 200 + i * 3}));
               await new Promise(requestAnimationFrame);
               document.body.offsetHeight;
               spent.push(performance.now() - started);
             }
             return spent.sort((a, b) => a - b); }"""
    )
    # A median says what the page does; the slowest frames say what else the machine did.
    assert spent[len(spent) // 2] <= 50


def test_the_animations_stop_for_who_wants_rest(visit: Visits) -> None:
    me = visit()
    me.page.emulate_media(reduced_motion="reduce")
    me.open_sample()
    name = "getComputedStyle(document.querySelector('.dx-hint')).animationName"
    assert me.evaluate(name) == "none"
