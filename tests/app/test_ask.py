"""The Ask tab: what its events tell the components."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image

from app.ask import Ask
from app.canvas import Canvas
from app.conversation import Conversation
from app.session import COOKIE
from model.types import Capability
from tests.fakes import ANNA, FakeBackend, in_loop, talking


def built(talk: Conversation) -> Ask:
    def build() -> Ask:
        with gr.Blocks(analytics_enabled=False):
            ask = Ask(talk, (), Canvas())
            ask.build()
        return ask

    return in_loop(build)


@pytest.mark.parametrize(
    "able", [{Capability.CAPTION, Capability.WORDS}, {Capability.POSE, Capability.CLICK}]
)
def test_only_what_the_model_can_do_is_offered(able: set[Capability]) -> None:
    ask = built(talking(FakeBackend(capabilities=frozenset(able))))
    found = ask.abilities()
    offered = {task for task, button in ask.quick.items() if found[button]["visible"]}
    assert offered == able & ask.quick.keys()
    assert found[ask.heat]["visible"] == (Capability.WORDS in able)
    assert set(found[ask.canvas]["can"]) == {str(task) for task in able}
    assert found[ask.canvas]["labels"] == ["dog", "person", "frisbee"]


def test_the_last_message_says_all_for_it_may_be_the_only_one_seen(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "picture.png")
    talk = talking(FakeBackend(pause=0.02))
    talk.open(ANNA, tmp_path / "picture.png", "")

    ask = built(talk)
    request = SimpleNamespace(cookies={COOKIE: ANNA[0]}, session_hash=ANNA[1])
    first, *_, end = ask.on_submit("Describe this picture.", {}, request)  # type: ignore[arg-type]
    assert first[ask.question]["value"] == ""
    assert "value" not in end[ask.question]  # more may have been typed meanwhile
    assert end[ask.question]["submit_btn"]
    assert end[ask.canvas]["answer"]["exchange"] == 1
    assert not end[ask.canvas]["status"]["kind"]
    assert not end[ask.trouble]["visible"]
