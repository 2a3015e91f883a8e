from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from model.errors import RecordError
from model.evaluate import evaluate_files, evaluate_lines, main
from model.metrics.queries import Task, plan
from model.predict import predict, write_predictions
from model.records import Record, class_names, read_records
from tests.oracle import Oracle, write_records

PERFECT = {
    "detect": ("AP", "AP50", "AP75"),
    "refer": ("acc50", "acc50_position", "acc50_unique", "mean_iou", "boxes_per_expression"),
    "ground": ("recall1",),
    "region": ("top1",),
    "click": ("top1", "box_iou", "box_acc50"),
    "absent": ("f1", "precision", "recall", "accuracy"),
    "segment": ("mean_iou",),
    "pose": ("AP", "AP50"),
    "vqa": ("accuracy",),
}

Line = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_records(tmp_path)


@pytest.fixture
def records(path: Path) -> list[Record]:
    return list(read_records(path))


def _right(records: Sequence[Record], *tasks: Task) -> list[Line]:
    lines = predict(Oracle(records), records, tasks or list(Task))
    return [json.loads(json.dumps(line)) for line in lines]


def test_right_answers_score_one_everywhere(records: list[Record]) -> None:
    metrics = evaluate_lines(records, _right(records))
    for task, measures in PERFECT.items():
        for name in measures:
            measure = metrics.tasks[task].measures[name]
            assert measure.value == pytest.approx(1, abs=1e-4), (task, name)
            assert measure.low == pytest.approx(1, abs=1e-4), (task, name)
    assert metrics.value("refer", "said_absent") == 0
    assert metrics.malformed == 0
    for report in metrics.tasks.values():
        counts = report.counts
        assert counts.missing == counts.errors == counts.strangers == counts.duplicates == 0


def test_captions_of_another_picture_score_less_than_the_own_ones(records: list[Record]) -> None:
    lines = _right(records, Task.CAPTION)
    own = evaluate_lines(records, lines)
    texts = [line["answer"]["text"] for line in lines]
    for line, text in zip(lines, [*texts[1:], texts[0]], strict=True):
        line["answer"]["text"] = text
    other = evaluate_lines(records, lines)
    assert own.value("caption", "cider") > 100 > 10 > other.value("caption", "cider")
    assert own.value("caption", "distinct") == 1


def test_answers_given_to_the_wrong_queries_score_low(records: list[Record]) -> None:
    lines = _right(records, Task.REFER, Task.REGION, Task.DETECT)
    for task in ("refer", "region", "detect"):
        of_task = [line for line in lines if line["task"] == task]
        answers = [line["answer"] for line in of_task]
        for line, answer in zip(of_task, [*answers[1:], answers[0]], strict=True):
            line["answer"] = answer
    metrics = evaluate_lines(records, lines)
    assert metrics.value("refer", "acc50") == 0
    # Two of six: the first dog has the second's answer, one person the other's.
    assert metrics.value("region", "top1") == pytest.approx(2 / 6)
    assert metrics.value("detect", "AP") == 0


def _mixed(records: Sequence[Record]) -> tuple[list[Line], list[str]]:
    """Returns the 3 right refer lines and what a broken file would hold besides."""
    lines = _right(records, Task.REFER)
    garbage = ["{broken", "[]", "null", '"x"', "{}", "[" * 5000, '{"task": "refer"}']
    garbage += [json.dumps({**lines[0], "task": "dance"}), json.dumps({**lines[0], "index": "0"})]
    garbage += [json.dumps({**lines[0], "answer": {"text": ""}})]
    return lines, garbage


def test_broken_lines_are_counted_and_never_raise(records: list[Record], tmp_path: Path) -> None:
    lines, garbage = _mixed(records)
    out = tmp_path / "refer.jsonl"
    text = "\n".join([*garbage, "", *map(json.dumps, lines)])
    out.write_bytes(text.encode() + b"\n\xff\xfe\x00\n")
    metrics = evaluate_files(tmp_path / "set.jsonl.gz", out)
    assert metrics.malformed == len(garbage) + 1
    assert metrics.value("refer", "acc50") == 1


def test_missing_failed_doubled_and_strange_lines_are_counted(records: list[Record]) -> None:
    left, frisbee, bus = _right(records, Task.REFER)
    failed = {**frisbee, "answer": {"text": "", "groundings": [], "finish": "error"}}
    later = {**left, "answer": bus["answer"]}
    strange = [{**bus, "id": "elsewhere"}, {**bus, "index": 7}]
    metrics = evaluate_lines(records, [left, later, failed, *strange])
    counts = metrics.tasks["refer"].counts
    assert (counts.expected, counts.missing, counts.errors) == (3, 1, 1)
    assert (counts.duplicates, counts.strangers) == (1, 2)
    # The first line counts, the doubled one does not; missing and failed are wrong.
    assert metrics.value("refer", "acc50") == pytest.approx(1 / 3)


def test_an_answer_to_another_question_is_a_stranger(records: list[Record]) -> None:
    left, frisbee, bus = _right(records, Task.REFER)
    metrics = evaluate_lines(records, [left, {**frisbee, "query": "the dog"}, bus])
    assert metrics.tasks["refer"].counts.missing == 1
    assert metrics.tasks["refer"].counts.strangers == 1
    assert metrics.value("refer", "acc50") == pytest.approx(2 / 3)


def test_invalid_boxes_are_dropped_and_counted(records: list[Record]) -> None:
    lines = _right(records, Task.REFER)
    grounding = lines[0]["answer"]["groundings"][0]
    bad = [[0.5, 0.5, 0.5, 0.5], [0, 0, float("nan"), 1], [0, 1], "box", None]
    grounding["boxes"] = [*bad, *grounding["boxes"]]
    grounding["scores"] = [*[0.99] * len(bad), *grounding["scores"]]
    metrics = evaluate_lines(records, lines)
    assert metrics.tasks["refer"].counts.invalid_boxes == len(bad)
    assert metrics.value("refer", "acc50") == 1


def test_silence_counts_as_wrong_also_about_absence(records: list[Record]) -> None:
    lines = _right(records, Task.ABSENT)
    metrics = evaluate_lines(records, lines[:1])
    assert metrics.value("absent", "accuracy") == pytest.approx(1 / len(lines))
    assert metrics.value("absent", "recall") == 0


def test_always_saying_absent_has_full_recall_and_half_precision(records: list[Record]) -> None:
    lines = _right(records, Task.ABSENT)
    for line in lines:
        line["present"] = False
    metrics = evaluate_lines(records, lines)
    # 16 absent names, 6 present ones.
    assert metrics.value("absent", "recall") == 1
    assert metrics.value("absent", "precision") == pytest.approx(16 / 22)
    assert metrics.value("absent", "f1") == pytest.approx(2 * 16 / (22 + 16))


def test_a_folder_of_files_is_one_evaluation(path: Path, records: list[Record]) -> None:
    folder = path.parent / "predictions"
    for task in (Task.REFER, Task.CAPTION):
        write_predictions(_right(records, task), folder / f"{task}.jsonl")
    metrics = evaluate_files(path, folder)
    assert list(metrics.tasks) == ["refer", "caption"]
    assert metrics.pictures == 4


def test_a_limited_run_is_scored_with_the_same_limit(path: Path, records: list[Record]) -> None:
    out = path.parent / "out.jsonl"
    write_predictions(_right(records[:2]), out)
    whole, part = evaluate_files(path, out), evaluate_files(path, out, limit=2)
    assert whole.tasks["detect"].counts.missing == 2
    assert all(report.counts.missing == 0 for report in part.tasks.values())


def test_a_label_space_of_ones_own_is_scored(tmp_path: Path) -> None:
    cells = [{"label": label, "bbox": [4, 4, 10, 10]} for label in ("RBC", "WBC")]
    own = {"label_space": "blood", "exhaustive": True, "width": 64, "height": 48}
    path = write_records(
        tmp_path,
        [
            {"id": str(i), "shard": "shard-0.tar", "image": f"{i}.png", "objects": [cell], **own}
            for i, cell in enumerate(cells)
        ],
    )
    records = list(read_records(path))
    metrics = evaluate_lines(records, _right(records, Task.DETECT, Task.REGION))
    assert metrics.value("detect", "AP") == pytest.approx(1)
    assert metrics.value("region", "top1") == 1


def test_no_predictions_at_all_is_an_error(path: Path) -> None:
    with pytest.raises(RecordError, match=r"nothing\.jsonl could not be read"):
        evaluate_files(path, path.parent / "nothing.jsonl")
    (path.parent / "empty").mkdir()
    with pytest.raises(RecordError, match=r"has no \.jsonl file"):
        evaluate_files(path, path.parent / "empty")


def test_the_command_line_prints_a_table_and_writes_metrics(
    path: Path, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, out = path.parent / "p.jsonl", path.parent / "deep" / "metrics.json"
    write_predictions(_right(records), predictions)
    given = ["--records", str(path), "--predictions", str(predictions), "--out", str(out)]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "refer: 3 queries" in printed
    assert "acc50 " in printed
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["tasks"]["refer"]["measures"]["acc50"]["value"] == 1
    assert written["tasks"]["refer"]["counts"]["expected"] == 3
    assert "interval" in written["definitions"]
    assert main(["--records", str(path), "--predictions", "none.jsonl"]) == 2
    assert "evaluate: none.jsonl" in capsys.readouterr().err


def test_asking_for_a_number_that_was_not_measured_is_an_error(records: list[Record]) -> None:
    metrics = evaluate_lines(records, _right(records, Task.REFER))
    with pytest.raises(RecordError, match="pose AP was not measured"):
        metrics.value("pose", "AP")


def _trivial(records: Sequence[Record]) -> Iterator[Line]:
    """Yields what needs no model: the whole picture, always the same words."""
    for _, queries in plan(records, list(Task), class_names(records)):
        for query in queries:
            spans = query.value["spans"] if query.task is Task.GROUND else [[None, None]]
            places = [
                {
                    "phrase": {"text": "person", "start": start, "end": end},
                    "boxes": [[0, 0, 1, 1]],
                    "scores": [0.5],
                }
                for start, end in spans
            ]
            answer = {"text": "a man standing on a street", "groundings": places, "finish": "stop"}
            yield {
                "id": query.record,
                "task": str(query.task),
                "index": query.index,
                "query": query.value,
                "present": True,
                "answer": answer,
            }


@pytest.mark.shared
def test_the_whole_picture_is_a_weak_answer_on_real_photographs(shared: Path) -> None:
    records = list(read_records(shared / "data" / "photos" / "coco-val.jsonl.gz", limit=60))
    metrics = evaluate_lines(records, _trivial(records))
    assert metrics.tasks["refer"].counts.expected == 366
    assert 0.02 < metrics.value("refer", "acc50") < 0.2
    assert metrics.value("detect", "AP") < 0.01
    assert 0.4 < metrics.value("region", "top1") < 0.55  # nearly half of the objects are persons
    assert metrics.value("absent", "f1") == 0
    assert metrics.value("caption", "cider") < 15
    assert metrics.value("vqa", "accuracy") < 0.3
