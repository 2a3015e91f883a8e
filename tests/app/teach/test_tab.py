"""The Teach tab without a browser: who may do what, and what is sent when."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app import words
from app.host import Host
from app.jobs import Jobs
from app.jobs.job import Job, State
from app.jobs.trail import Evaluation, Trail
from app.runs import Run
from app.serving import Serving
from app.session import ADMIN_HEADER
from app.settings import Settings
from app.teach import Teach
from app.teach.checkpoints import Checkpoints
from app.teach.material import Material
from app.teach.section import Look
from app.teach.takehome import TakeHome
from app.teach.training import Training
from app.teaching import Teaching
from tests.fake_training import fake_checkpoint
from tests.fakes import FakeBackend, in_loop

ADMIN: Any = SimpleNamespace(headers={ADMIN_HEADER: "yes"})
STRANGER: Any = SimpleNamespace(headers={})


class NoJobs(Jobs):
    """A queue in which nothing may be changed."""

    def _enqueue(self, *_: Any) -> Any:
        raise AssertionError("a stranger reached the queue")

    def stop(self, *_: Any) -> Any:
        raise AssertionError("a stranger reached the queue")

    def delete(self, *_: Any) -> Any:
        raise AssertionError("a stranger reached the queue")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("fake-tiny", "other"):
        fake_checkpoint(tmp_path / "checkpoints" / name, name)
    return Settings(
        model=str(tmp_path / "checkpoints" / "fake-tiny"),
        checkpoints=tmp_path / "checkpoints",
        teaching=tmp_path / "teaching",
        corrections=tmp_path / "corrections",
        dataset_roots=(str(tmp_path),),
    )


@pytest.fixture
def tab(settings: Settings) -> Teach:
    host = Host(FakeBackend, "fake", 60)
    host.swap(FakeBackend())
    serving = Serving(host, settings, lambda name, _: FakeBackend(name=Path(name).name))
    teach = Teach(Teaching(settings, serving, ("false",)))

    def build() -> Teach:
        with gr.Blocks(), gr.Tab("Teach") as outer:
            teach.build()
            teach.wire(outer)
        return teach

    return in_loop(build)


def events(tab: Teach) -> dict[str, Any]:
    """Returns what every event of the tab does."""
    found = {"Teach.on_look": tab.on_look}
    for section in tab.sections:
        for name, method in inspect.getmembers(section, inspect.ismethod):
            if name.startswith("on_"):
                found[f"{type(section).__name__}.{name}"] = method
    return found


def section(tab: Teach, kind: type) -> Any:
    """Returns a step of the tab."""
    return next(section for section in tab.sections if isinstance(section, kind))


def arguments(method: Any) -> dict[str, Any]:
    """Returns arguments that would do something if they came from the admin."""
    whole = {"seen": {"run": "other", "data": "cups"}, "name": "other", "sure": True,
             "text": "/tmp", "file": "/tmp/x.zip", "begin": "fake-tiny", "mode": "auto",
             "minutes": 1.0, "chosen": None, "repository": "me/mine", "replay": "",
             "general": ""}  # fmt: skip
    names = [name for name in inspect.signature(method).parameters if name != "request"]
    return {name: whole.get(name, True) for name in names}


def test_no_event_does_anything_for_a_stranger(tab: Teach, settings: Settings) -> None:
    tab.work.imports = NoJobs(settings.teaching / "imports")
    tab.work.runs.queue = NoJobs(settings.teaching / "queue")
    tab.work.packing.queue = NoJobs(settings.teaching / "packing")
    before = sorted(path for path in settings.teaching.parent.rglob("*"))
    found = events(tab)
    assert len(found) >= 15
    places = [section.said for section in tab.sections]  # type: ignore[attr-defined]
    allowed = {tab.gate, tab.body, tab.timer, *places}
    for name, method in found.items():
        updates = method(**arguments(method), request=STRANGER)
        assert updates[tab.body] == gr.update(visible=False), name
        assert set(updates) <= allowed, name
        if name != "Teach.on_look":
            assert words.NOT_ADMIN.split(";")[0] in str(updates), name
    assert tab.work.serving.loading == ""
    assert tab.work.serving.served == "fake-tiny"
    assert sorted(path for path in settings.teaching.parent.rglob("*")) == before


def test_a_stranger_is_told_plainly_and_shown_the_way_in(tab: Teach, settings: Settings) -> None:
    said = str(tab.on_look(None, {}, STRANGER)[tab.gate])
    assert "Only the owner" in said
    assert "DEIXIS" in said
    assert "/admin" not in said
    object.__setattr__(tab.work, "settings", Settings(admin_token="long enough secret"))
    assert "/admin" in str(tab.on_look(None, {}, STRANGER)[tab.gate])


def test_what_has_not_changed_is_not_sent_again(tab: Teach) -> None:
    first = tab.on_look(None, {}, ADMIN)
    assert first[tab.body] == gr.update(visible=True)
    everything = {c for section in tab.sections for c in section.components()}
    assert len(everything & set(first)) > 20
    seen = first[tab.seen]
    again = tab.on_look(None, seen, ADMIN)
    assert not everything & set(again)
    assert again[tab.seen] == seen
    assert not again[tab.timer].active


def test_every_part_belongs_to_a_component_that_may_change(tab: Teach) -> None:
    for section in tab.sections:
        known = set(section.components())
        for part in section.parts(Look(None, "", None)):
            assert part.component in known


def test_the_admin_serves_from_the_list_and_deletes_only_with_a_tick(
    tab: Teach, settings: Settings
) -> None:
    last = section(tab, Checkpoints)
    updates = last.on_serve("other", "", {}, ADMIN)
    assert updates[tab.timer].active or tab.work.serving.served == "other"
    tab.work.serving.wait()
    assert tab.work.serving.served == "other"
    tab.work.serving.go_back()
    tab.work.serving.wait()
    last.on_delete("other", False, "", {}, ADMIN)
    assert (settings.checkpoints / "other").exists()
    last.on_delete("other", True, "", {}, ADMIN)
    assert not (settings.checkpoints / "other").exists()


def test_a_data_set_is_deleted_only_with_a_tick(
    tab: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    monkeypatch.setattr(Teaching, "delete_data", lambda _, name: gone.append(name))
    material, seen = section(tab, Material), {"data": "cups"}
    updates = material.on_remove(False, None, seen, ADMIN)
    assert gone == []
    assert "Tick the box" in str(updates[material.said])
    material.on_remove(True, None, seen, ADMIN)
    assert gone == ["cups"]


def test_pictures_that_went_with_their_data_set_have_no_heading(tab: Teach, tmp_path: Path) -> None:
    training, trail = section(tab, Training), Trail()
    trail.evaluations.append(Evaluation(6, {"AP": 1.0}, "samples.json", True))
    job = Job("1", ("train", "--out=/c/cups-1", f"--data={tmp_path / 'cups'}"), State.DONE)
    run = Run("cups-1", job, trail, None, Trail(), tmp_path)

    def heading() -> str:
        parts = training.parts(Look(None, "", run))
        (found,) = [part.content for part in parts if part.component is training.heading]
        return str(found)

    (tmp_path / "cups").mkdir()
    assert "step 6" in heading()
    (tmp_path / "cups").rmdir()
    assert "step 6" not in heading()


def test_a_refusal_is_said_beside_its_button(tab: Teach) -> None:
    training = section(tab, Training)
    updates = training.on_start(
        "auto", 5, False, "", "", "", "fake-tiny", None, {"data": ""}, ADMIN
    )
    assert words.DATA_NONE_CHOSEN.rstrip(".") in str(updates[training.said])


def test_earlier_data_is_offered_or_its_lack_is_told(tab: Teach, settings: Settings) -> None:
    training = section(tab, Training)
    replay, general, missing = training.replay, training.general, training.missing
    none = replace(settings, replay=settings.teaching / "none")
    object.__setattr__(tab.work, "settings", none)
    updates = tab.on_look(None, {}, ADMIN)
    assert updates[replay]["choices"] == [(words.EARLIER_NONE, "")]
    assert updates[replay]["value"] == ""
    assert words.REPLAY_MISSING in updates[missing]["value"]
    (label, value) = updates[general]["choices"][1]
    assert label == "the records in samples.jsonl", "the sample pictures have boxes"
    assert updates[general]["value"] == value
    assert words.GENERAL_MISSING not in updates[missing]["value"]


def test_a_checkpoint_is_packed_by_a_click_and_pushed_only_with_a_name(
    tab: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = section(tab, TakeHome)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    updates = home.on_push("other", " ", "", {}, ADMIN)
    assert "Write where to push to" in str(updates[home.said])
    updates = home.on_pack("other", "", {}, ADMIN)
    assert "other is checked and packed" in str(updates[home.state])
    assert updates[tab.timer].active
    updates = home.on_pack("other", "", {}, ADMIN)
    assert "being packed already" in str(updates[home.said])
    updates = home.on_pack("../other", "", {}, ADMIN)
    assert "no checkpoint" in str(updates[home.said])
