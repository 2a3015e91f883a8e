from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from model.backends.base import EncodedPicture
from model.errors import CapabilityError, CheckpointError
from model.metrics.queries import Task
from model.predict import main, predict, tasks_of, write_predictions
from model.records import Record, read_records
from model.types import Answer, Box, Capability, Grounding, Phrase
from tests.oracle import Oracle, plain_records, write_records


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return list(read_records(write_records(tmp_path)))


def _lines(records: Sequence[Record], task: Task) -> list[dict[str, Any]]:
    # Through JSON, as a file would hold them.
    return [json.loads(json.dumps(line)) for line in predict(Oracle(records), records, [task])]


def test_detect_asks_for_all_names_and_writes_one_grounding_each(records: list[Record]) -> None:
    dogs, *_, field = _lines(records, Task.DETECT)
    assert list(dogs) == ["id", "task", "index", "query", "present", "answer"]
    assert (dogs["id"], dogs["task"], dogs["index"], dogs["present"]) == ("dogs", "detect", 0, True)
    assert len(dogs["query"]) == 80
    assert [g["phrase"] for g in dogs["answer"]["groundings"]] == [
        {"text": "dog", "start": None, "end": None},
        {"text": "frisbee", "start": None, "end": None},
    ]
    assert dogs["answer"]["groundings"][0]["boxes"][0] == pytest.approx(
        [4 / 64, 8 / 48, 0.375, 5 / 6], abs=1e-5
    )
    assert field["present"] is False
    assert field["answer"] == {"text": "", "groundings": [], "finish": "absent"}


def test_refer_keeps_what_reaches_the_threshold_best_first(records: list[Record]) -> None:
    left, frisbee, bus = _lines(records, Task.REFER)
    assert [left["query"], frisbee["query"], bus["query"]] == [
        *("the dog on the left", "the frisbee", "the bus")
    ]
    assert [line["index"] for line in (left, frisbee, bus)] == [0, 1, 0]
    (grounding,) = bus["answer"]["groundings"]
    assert grounding["scores"] == [0.9]
    assert bus["present"] is True


class _Unsure(Oracle):
    def answer(self, *_: object, **__: object) -> Answer:
        boxes = Box(0, 0, 0.5, 0.5), Box(0.5, 0.5, 1, 1)
        return Answer("", (Grounding(Phrase("it"), boxes, (0.1, 0.2)),))


def test_refer_always_writes_the_best_box_but_says_it_is_absent(records: list[Record]) -> None:
    line = next(predict(_Unsure(records), records, [Task.REFER]))
    (grounding,) = line["answer"]["groundings"]
    assert grounding["scores"] == [0.2]
    assert grounding["boxes"] == [[0.5, 0.5, 1, 1]]
    assert line["present"] is False
    assert line["answer"]["finish"] == "absent"


def test_ground_writes_one_grounding_a_span_in_order(records: list[Record]) -> None:
    (line,) = _lines(records, Task.GROUND)
    assert line["query"] == {"caption": "two dogs and a frisbee", "spans": [[0, 8], [13, 22]]}
    assert [g["phrase"] for g in line["answer"]["groundings"]] == [
        {"text": "two dogs", "start": 0, "end": 8},
        {"text": "a frisbee", "start": 13, "end": 22},
    ]
    assert len(line["answer"]["groundings"][0]["boxes"]) == 2
    assert "dog" not in json.dumps(line["query"]).replace("two dogs", "")


def test_region_and_click_leave_crowds_out_and_name_the_object(records: list[Record]) -> None:
    regions, clicks = _lines(records, Task.REGION), _lines(records, Task.CLICK)
    keys = [("dogs", 0), ("dogs", 1), ("dogs", 2), ("street", 0), ("street", 1), ("portrait", 0)]
    assert [(line["id"], line["index"]) for line in regions] == keys
    assert [(line["id"], line["index"]) for line in clicks] == keys
    assert regions[3]["answer"]["text"] == "a bus seen from far away"
    assert all(line["answer"]["groundings"] == [] for line in regions)
    assert all(len(line["answer"]["groundings"]) == 1 for line in clicks)


def test_a_click_is_answered_with_one_box_however_unsure(records: list[Record]) -> None:
    line = next(predict(_Unsure(records), records, [Task.CLICK]))
    assert line["answer"]["groundings"][0]["boxes"] == [[0.5, 0.5, 1, 1]]
    assert line["answer"]["groundings"][0]["scores"] == [0.2]


def test_clicks_lie_in_the_middle_half_of_the_box(records: list[Record]) -> None:
    things = {(r.id, i): thing.box for r in records for i, thing in enumerate(r.objects)}
    for line in _lines(records, Task.CLICK):
        box, (x, y) = things[line["id"], line["index"]], line["query"]["point"]
        assert abs(x - box.centre[0]) <= (box.x1 - box.x0) / 4
        assert abs(y - box.centre[1]) <= (box.y1 - box.y0) / 4


def test_absent_asks_for_present_and_absent_names(records: list[Record]) -> None:
    lines = _lines(records, Task.ABSENT)
    assert Counter((line["id"], line["present"]) for line in lines) == {
        **{(name, False): 4 for name in ("dogs", "street", "portrait", "field")},
        **{("dogs", True): 2, ("street", True): 3, ("portrait", True): 1},
    }
    assert [line["index"] for line in lines if line["id"] == "dogs"] == list(range(6))


def test_the_seed_draws_and_a_shorter_file_asks_the_same(records: list[Record]) -> None:
    backend = Oracle(records)

    def queries(some: Sequence[Record], seed: int) -> list[object]:
        tasks = [Task.CLICK, Task.ABSENT]
        return [line["query"] for line in predict(backend, some, tasks, seed)]

    assert queries(records, 0) == queries(records, 0)
    assert queries(records, 0) != queries(records, 1)
    assert queries(records, 0)[: len(queries(records[:2], 0))] == queries(records[:2], 0)


def test_segment_and_pose_write_masks_and_joints(records: list[Record]) -> None:
    segments, poses = _lines(records, Task.SEGMENT), _lines(records, Task.POSE)
    assert [(line["id"], line["index"]) for line in segments] == [("dogs", 0), ("portrait", 0)]
    mask = segments[1]["answer"]["groundings"][0]["masks"][0]
    assert mask["size"] == [48, 64]
    assert sum(mask["counts"][1::2]) == 40 * 40
    (pose,) = poses
    assert len(pose["answer"]["groundings"][0]["keypoints"][0]) == 17


def test_vqa_asks_questions(records: list[Record]) -> None:
    lines = _lines(records, Task.VQA)
    assert {line["query"]["kind"] for line in lines} >= {"what", "how many", "is there", "colour"}
    assert all(line["answer"]["text"] for line in lines)


def test_a_picture_is_encoded_once_for_all_tasks(records: list[Record]) -> None:
    backend = Oracle(records)
    lines = list(predict(backend, records, list(Task)))
    assert backend.encodings == len(records)
    assert [line["id"] for line in lines] == sorted(
        (line["id"] for line in lines), key=[r.id for r in records].index
    )


class _Faulty(Oracle):
    def is_present(self, picture: Image.Image | EncodedPicture, name: str) -> Answer:
        raise RuntimeError("out of luck")


def test_a_failing_query_is_written_as_an_error_and_the_rest_goes_on(
    records: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [Task.ABSENT, Task.CAPTION]
    out = tmp_path / "deep" / "out.jsonl"
    assert write_predictions(predict(_Faulty(records), records, tasks), out) == (26, 22)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    failed = [line for line in lines if line["answer"]["finish"] == "error"]
    assert Counter(line["task"] for line in lines) == {"absent": 22, "caption": 4}
    assert {line["task"] for line in failed} == {"absent"}
    assert all(line["answer"]["groundings"] == [] for line in failed)
    assert capsys.readouterr().err.count("RuntimeError: out of luck") == 5


def test_a_broken_picture_fails_its_own_queries_only(tmp_path: Path) -> None:
    whole = list(read_records(write_records(tmp_path)))
    plain = plain_records()
    plain[0]["width"] = 128
    path = write_records(tmp_path, plain)
    lines = list(predict(Oracle(whole), list(read_records(path)), [Task.CAPTION]))
    assert [line["answer"]["finish"] for line in lines] == ["error", "stop", "stop", "stop"]


class _Thin(Oracle):
    def detect(self, *_: object, **__: object) -> Answer:
        boxes = Box(0.1, 0.1, 0.1 + 1e-7, 0.2), Box(0.1, 0.1, 0.2, 0.2)
        return Answer("", (Grounding(Phrase("dog"), boxes, (0.9, 0.8)),))


def test_a_box_that_would_round_to_nothing_is_not_written(records: list[Record]) -> None:
    line = next(predict(_Thin(records), records, [Task.DETECT]))
    assert line["answer"]["groundings"][0]["boxes"] == [[0.1, 0.1, 0.2, 0.2]]
    assert line["answer"]["groundings"][0]["scores"] == [0.8]


def test_a_stopped_run_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old\n")

    def lines() -> Iterator[dict[str, Any]]:
        yield {"id": "a", "task": "detect", "index": 0}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(lines(), out)
    assert out.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [out]


def test_a_task_the_model_cannot_do_is_refused_before_work(records: list[Record]) -> None:
    backend = Oracle(records, frozenset({Capability.CAPTION, Capability.DETECT}))
    assert tasks_of(backend, "all") == [Task.DETECT, Task.CAPTION, Task.ABSENT]
    with pytest.raises(CapabilityError, match=r"oracle cannot pose\. It can: caption, detect"):
        tasks_of(backend, "pose")
    with pytest.raises(CapabilityError):
        next(predict(backend, records, [Task.POSE]))
    assert backend.encodings == 0


@pytest.fixture
def engine(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: str, device: str) -> Oracle:
        if path != "right":
            raise CheckpointError(f"There is no checkpoint {path} for {device}.")
        return Oracle(records)

    monkeypatch.setitem(sys.modules, "model.engine", SimpleNamespace(load=load))
    monkeypatch.setattr("model.backends.open_backend", load)


@pytest.mark.parametrize("option", ["--checkpoint", "--model"])
@pytest.mark.usefixtures("engine")
def test_the_command_line_writes_every_task(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["--records", str(tmp_path / "set.jsonl.gz"), "--out", str(out), "--limit", "1"]
    assert main([option, "right", "--task", "all", *arguments]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {line["task"] for line in lines} == set(map(str, Task)) - {"pose"}
    assert {line["id"] for line in lines} == {"dogs"}
    assert f"{len(lines)} predictions, 0 failed" in capsys.readouterr().err


@pytest.mark.usefixtures("engine")
def test_the_command_line_tells_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--task", "detect", "--out", str(tmp_path / "out.jsonl")]
    records = ["--records", str(tmp_path / "set.jsonl.gz")]
    assert main(["--checkpoint", "wrong", *records, *out]) == 2
    assert "predict: There is no checkpoint wrong for auto." in capsys.readouterr().err
    missing = ["--records", str(tmp_path / "none.jsonl")]
    assert main(["--checkpoint", "right", *missing, *out]) == 2
    assert "none.jsonl could not be read" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
