"""What programs call: JSON in and out, boxes in both frames, refusals as sentences."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from app import render
from app.correcting import Correcting
from app.corrections import Corrections
from app.endpoints import Endpoints, _told, result
from app.session import COOKIE
from app.settings import Settings
from app.takeout import Takeout
from model.errors import DeixisError, QuestionError, RecordError, RegionError
from model.turns import answer_from_json
from model.types import Answer, Box, Finish, Grounding, Phrase, Size
from tests.fakes import ANNA, FakeBackend, last, talking

REQUEST: Any = SimpleNamespace(cookies={COOKIE: "anna"}, session_hash="program")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "picture.png"
    Image.new("RGB", (200, 100), (90, 120, 90)).save(path)
    return str(path)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def calls(backend: FakeBackend) -> Endpoints:
    return Endpoints(talking(backend))


def test_boxes_are_given_in_both_frames() -> None:
    answer = Answer("a dog", (Grounding(Phrase("a dog", 0, 5), (Box(0.1, 0.2, 0.5, 1),), (0.9,)),))
    found = result(answer, Size(200, 100))
    (grounding,) = found["groundings"]
    assert grounding["boxes"] == [[0.1, 0.2, 0.5, 1.0]]
    assert grounding["boxes_px"] == [[20.0, 20.0, 100.0, 100.0]]
    assert grounding["phrase"] == {"text": "a dog", "start": 0, "end": 5}
    assert (found["width"], found["height"], found["present"]) == (200, 100, True)
    assert not result(Answer("", finish=Finish.ABSENT), Size(1, 1))["present"]


def test_a_picture_is_encoded_once_for_all_calls(
    calls: Endpoints, backend: FakeBackend, file: str
) -> None:
    assert calls.encode(file, REQUEST)["width"] == 200
    assert calls.caption(file, REQUEST)["groundings"]
    assert calls.detect(file, ["dog", "unicorn"], None, REQUEST)["present"]
    assert backend.encodings == 1


def test_regions_come_as_json(calls: Endpoints, file: str) -> None:
    regions = [{"name": "@1", "box": [0, 0, 0.5, 0.5]}, {"name": "@2", "points": [[0.5, 0.5, 1]]}]
    assert calls.ask(file, "what is @2?", regions, None, REQUEST)["text"] == "@2 is a dog."
    named = calls.describe_region(file, {"box": [0, 0, 0.5, 0.5]}, REQUEST)
    assert named["groundings"][0]["boxes_px"] == [[0.0, 0.0, 100.0, 50.0]]
    assert calls.segment(file, {"box": [0, 0, 0.5, 0.5]}, REQUEST)["groundings"][0]["masks"]
    assert calls.pose(file, {"box": [0, 0, 0.5, 0.5]}, REQUEST)["groundings"][0]["keypoints"]


def test_an_answer_can_be_drawn(calls: Endpoints, file: str) -> None:
    answer = calls.caption(file, REQUEST)
    drawn = calls.draw(file, answer, "corner", 0.5)
    assert drawn.width > drawn.height
    assert answer_from_json(answer).text == answer["text"]


@pytest.mark.parametrize("style", ["box", "rounded", "corner"])
def test_page_file_and_program_draw_alike(calls: Endpoints, tmp_path: Path, style: str) -> None:
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    talk = calls.talk
    talk.open(ANNA, path, "picture")
    last(talk.ask(ANNA, "Describe this picture.", {}))
    shown = (talk.restyle(ANNA, style, heat=False).answer or {})["src"]
    drawn = calls.draw(str(path), calls.caption(str(path), REQUEST), style, 0.3)
    assert render.data_url(drawn) == shown
    work = Correcting(talk, Corrections(Settings(corrections=tmp_path / "corrections")))
    content, _ = Takeout(work).content(ANNA, "talk", "png")
    with Image.open(BytesIO(content)) as taken:
        assert taken.tobytes() == drawn.tobytes()


BAD: list[tuple[str, tuple[Any, ...], type[DeixisError]]] = [
    ("ask", ("", [], None), QuestionError),
    ("ask", ("x" * 3000, [], None), QuestionError),
    ("ask", ("hi", [{"name": "@1", "box": [0, 0, float("nan"), 1]}], None), RegionError),
    ("ask", ("hi", [{"name": "@1", "box": [0, 0, 1, 1]}] * 2, None), RegionError),
    ("ask", ("hi", [], 7.0), QuestionError),
    ("detect", ("dog", None), QuestionError),
    ("detect", ([], None), QuestionError),
    ("detect", (["x"] * 999, None), QuestionError),
    ("detect", ([7], None), QuestionError),
    ("describe_region", (None,), RegionError),
    ("describe_region", ({"circle": 1},), RegionError),
]


@pytest.mark.parametrize(("name", "arguments", "error"), BAD)
def test_bad_calls_are_refused(
    calls: Endpoints, file: str, name: str, arguments: tuple[Any, ...], error: type[DeixisError]
) -> None:
    with pytest.raises(error):
        getattr(calls, name)(file, *arguments, REQUEST)


def test_without_a_picture_nothing_is_called(calls: Endpoints, file: str) -> None:
    with pytest.raises(QuestionError, match="No picture"):
        calls.caption("", REQUEST)
    with pytest.raises(RecordError):
        calls.draw(file, {"text": 7, "groundings": [{}]}, "box", None)
    with pytest.raises(QuestionError, match="no style 'round'; choose one of box, rounded, corner"):
        calls.draw(file, calls.caption(file, REQUEST), "round", None)


def test_programs_read_refusals_as_sentences(calls: Endpoints, file: str) -> None:
    with pytest.raises(gr.Error, match="question is empty"):
        _told(calls.ask)(file, "", [], None, REQUEST)


def test_the_model_is_free_after_a_refusal(calls: Endpoints, file: str) -> None:
    with pytest.raises(QuestionError):
        calls.detect(file, [], None, REQUEST)
    assert calls.talk.host.call(lambda model: "free", threading.Event()) == "free"
