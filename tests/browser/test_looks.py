"""Whether the page fits, can be read and stays fluid."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visits
from tests.browser.visitor import Visitor

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
RINGS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const channel = c => c <= 10.3 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = stack => { canvas.clearRect(0, 0, 1, 1);
    for (const c of stack) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
  const shown = [...document.querySelectorAll('#settings input')].filter(e => e.checkVisibility());
  return shown.map(e => {
    const behind = []; for (let n = e.parentElement; n; n = n.parentElement)
      behind.unshift(getComputedStyle(n).backgroundColor);
    const back = ['#fff', ...behind], style = getComputedStyle(e);
    const [a, b] = [light(back), light([...back, style.borderColor])].sort((x, y) => y - x);
    const [c, d] = [light(back), light([...back, style.backgroundColor])].sort((x, y) => y - x);
    return Math.max((a + 0.05) / (b + 0.05), (c + 0.05) / (d + 0.05)); }); }"""
"""Contrast of every radio button and checkbox, by its ring or its filling."""

READ = (
    ".brand h1, .brand p, .brand .model, .dx-bar button, .dx-status, .dx-chip span, .dx-chip small,"
    " .dx-sift span, .dx-sift output, .dx-samples > span, #chat .message, #chat .ph, #chat .mk,"
    " #quick button, #starters button, button[role=tab], .ph .id, .trouble, .absent, .note,"
    " #settings span, #settings button, .facts dt, .facts dd, #about h2, .lead, .dx-keys,"
    " .dx-edit-tag, .ed-field > span, .ed-hint, .ed-text, .ed-keep button, .shelf-title,"
    " .shelf figcaption, .shelf figure > button + button, #said .done, #takeout span,"
    " #takeout button, #takeout a, footer button"
)
"""What is read; what cannot be pressed yet may be faint, and is left out."""

OVERLAPS = """() => {
  const pressed = 'button, input, textarea, summary, a, [role=tab], [contenteditable]';
  const seen = [...document.querySelectorAll(pressed)].filter(e => e.checkVisibility()
      && !e.closest('.dx-stage, [aria-hidden=true]') && e.getBoundingClientRect().width > 4);
  const frames = seen.map(e => { // as far as it is not scrolled out of sight
    let {left, right, top, bottom} = e.getBoundingClientRect();
    for (let n = e.parentElement; n; n = n.parentElement) {
      if (getComputedStyle(n).overflow === 'visible') continue;
      const r = n.getBoundingClientRect();
      left = Math.max(left, r.left); right = Math.min(right, r.right);
      top = Math.max(top, r.top); bottom = Math.min(bottom, r.bottom);
    }
    return {left, right, top, bottom}; });
  const found = [];
  for (const [i, a] of frames.entries()) for (const [j, b] of frames.entries()) {
    if (i >= j || seen[i].contains(seen[j]) || seen[j].contains(seen[i])) continue;
    if (seen[i].closest('.shelf figure') && seen[j].closest('.shelf')) continue; // × on its picture
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1) found.push([seen[i], seen[j]].map(e =>
      e.outerHTML.slice(0, 90)).join(' over '));
  }
  return found; }"""
"""Pairs of what can be pressed where one covers a part of the other."""

BUTTONS_FIT = """() => [...document.querySelectorAll(
  '.dx-bar button, #quick button, #chat .icon-button')]
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
    assert weak == []
    right(me, widths)
    assert me.evaluate(BUTTONS_FIT)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("widths", [(1440, 1024), (390,)])
def test_settings_correcting_and_taking_home_look_right(
    visit: Visits, widths: tuple[int, ...], theme: str
) -> None:
    phone = widths == (390,)
    me = visit(widths[0], 844 if phone else 900, theme, phone=phone)
    me.page.click("#settings button")
    me.see("#settings input[type=radio]")
    me.ask("Describe this picture.")
    me.answered()
    right(me, widths)
    me.page.click(".brand .model")
    me.see("#about")
    assert [pair for pair in me.evaluate(CONTRAST, READ) if pair[1] < 4.5] == []
    me.page.keyboard.press("Escape")
    me.page.click("button[role=tab]:has-text('Correct')")
    me.await_count(".dx-edit", 4)
    me.page.click("#save")
    me.see("#said .done")
    me.page.click("#takeout button:has-text('Take home')")
    me.page.click("button:has-text('Make the file')")
    me.see("#takeout a")
    right(me, widths)


def right(me: Visitor, widths: tuple[int, ...]) -> None:
    """Nothing is too faint to read, too wide for the window, or covers something else."""
    for width in widths:
        me.page.set_viewport_size({"width": width, "height": 844 if width == 390 else 900})
        assert [pair for pair in me.evaluate(CONTRAST, READ) if pair[1] < 4.5] == [], width
        assert me.evaluate("document.documentElement.scrollWidth") <= width
        assert me.evaluate(OVERLAPS) == [], width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_can_be_chosen_is_seen(visit: Visits, theme: str) -> None:
    me = visit(theme=theme)
    me.page.click("#settings button")
    me.see("#settings input[type=radio]")
    rings = me.evaluate(RINGS)
    assert len(rings) >= 4
    assert min(rings) >= 3, "the ring around a choice, against what it lies on"


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


def test_who_points_by_hand_gets_no_ring(visit: Visits) -> None:
    me = visit()
    ring = "getComputedStyle(document.querySelector('.dx-stage')).outlineStyle"
    me.click(0.5, 0.5)
    me.answered()
    assert me.evaluate(ring) == "none"
    me.page.keyboard.press("Shift+Tab")
    me.page.keyboard.press("Tab")
    assert me.evaluate(ring) == "solid"


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
    me.page.click("button[role=tab]:has-text('Teach')")
    assert me.evaluate("document.getAnimations().length") == 0
