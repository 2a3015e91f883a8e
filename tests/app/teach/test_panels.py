"""What the Teach tab says: hostile names are inert, numbers are right, ends are explained."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.datasets import Dataset, Report
from app.jobs import Job, State, Trail
from app.runs import Run
from app.teach import panels, tables
from model.checkpoint import Listing
from tests.fakes import HOSTILE

REPORT: dict[str, Any] = {
    "format": HOSTILE, "pictures": {"train": 8, "val": 2, HOSTILE: 1}, "counts": {HOSTILE: 12},
    "classes": [{"name": HOSTILE, "boxes": 9, "pictures": 4, "boxes_by_split": {"train": 9}}],
    "num_classes": 3, "duplicates": 1, "left_out": 1,
    "refused": [{"file": HOSTILE, "row": HOSTILE, "reason": HOSTILE}], "num_refused": 61,
    "num_lost": 5, "notes": [HOSTILE], "round_trip_px": 0.25, "needs_consent": True,
    "usable": True,
}  # fmt: skip
LOW = {"value": 0.1, "low": 0.05, "high": 0.2, "count": 9}
HIGH = {"value": 0.8, "low": 0.7, "high": 0.9, "count": 9}


def inert(html: str) -> bool:
    """Returns whether no tag, script or address of the hostile text has survived."""
    return not re.search(r"<(img|script|style)|javascript:|\$\{|\{\{|onerror=", html)


def a_run(state: State = State.RUNNING, message: str = "", **changes: Any) -> Run:
    arguments = ("train", "--out=/c/cups-1", "--start=/c/tiny", f"--data=/d/{HOSTILE}")
    job = Job("1", arguments, state, message=message)
    run = Run("cups-1", job, Trail(), None, Trail(), Path("/nowhere"))
    return replace(run, **changes)


def test_a_report_counts_and_explains_without_running_anything() -> None:
    html = panels.report(Dataset("cups", Path("/d"), 0.0, Report.of(REPORT)))
    assert inert(html)
    assert "<b>11 pictures</b>" in html
    assert "8 to learn from&#44; 2 to choose by" in html
    assert "and 2 more" in html  # classes
    assert "61 rows are not used&#59; with refused pictures 5 boxes went" in html
    assert "and 60 more" in html  # refused rows
    assert "within 0&#46;25 px" in html
    bad = Report.of({**REPORT, "round_trip_px": 2.5, "usable": False})
    assert "2&#46;5 px off" in panels.report(Dataset("cups", Path("/d"), 0.0, bad))


def test_one_of_a_kind_is_not_told_as_many() -> None:
    one = {"pictures": {"train": 1}, "counts": {"boxes": 1}, "num_refused": 1, "num_lost": 1}
    html = panels.report(Dataset("cups", Path("/d"), 0.0, Report.of({**REPORT, **one})))
    assert "<b>1 picture</b>" in html
    assert "<p>1 box ·" in html
    assert "1 picture is a copy of another" in html
    assert "1 row is not used&#59; with refused pictures 1 box went" in html
    board = {"measures": [], "records": 1, "split": "val", "general": [], "general_records": 1}
    assert "on 1 validation picture</b>" in tables.board(a_run(State.DONE), board)


def test_a_run_tells_how_far_it_is_and_how_it_ended() -> None:
    run = a_run()
    assert "reading the pictures once" in panels.run(run, [])
    run.trail.follow(
        [
            {"event": "plan", "reasons": [HOSTILE]},
            {"event": "step", "step": 30, "steps": 120, "loss": 1.25, "eta": 65.4},
            {"event": "note", "text": HOSTILE},
        ]
    )
    html = panels.run(run, ["cups-1", HOSTILE])
    assert inert(html)
    assert "step 30 of 120 · loss 1&#46;250 · 1&#58;05 left" in html
    assert 'value="0.2500"' in html
    crash = a_run(State.CRASHED, f"It ended.\n{HOSTILE}\nsecond line")
    html = panels.run(crash, [])
    assert inert(html)
    assert "<pre>" in html
    assert "second line" in html
    assert "It ended" in html


def test_the_board_marks_what_is_beyond_chance() -> None:
    value = {
        "split": "test", "records": 36,
        "measures": [
            {"name": "AP50", "task": "detect", "before": LOW, "after": HIGH},
            {"name": "Acc@0.5", "task": "refer", "before": HIGH, "after": LOW},
            {"name": HOSTILE, "task": "", "before": LOW, "after": {**LOW, "value": 0.15}},
            {"name": "still", "task": "", "before": LOW, "after": {**LOW, "value": 0.0999}},
            {"name": "broken", "task": "", "before": {}, "after": LOW},
        ],
    }  # fmt: skip
    html = tables.board(a_run(State.DONE), value)
    assert inert(html)
    assert html.count("<tr>") == 6  # four measures, two of them folded away under a second head
    assert html.index("refer Acc") < html.index("2 more measures<")
    assert re.search(r'class="n up"[^>]*>\+0.700', html)
    assert re.search(r'class="n down"[^>]*>-0.700', html)
    assert re.search(r'class="n even"[^>]*>\+0.050', html)
    assert ">+0.000<" in html
    assert "-0.000" not in html
    assert "0.800 <small>0.70–0.90</small>" in html
    assert "was not checked" in html
    general = {"general": value["measures"], "general_data": "/x/<i>.jsonl", "general_records": 8}
    said = tables.board(a_run(), {**value, **general})
    assert inert(said)
    assert re.search(r"General skill.* on 8 pictures of .*jsonl", said)


def test_a_board_that_is_not_there_says_why() -> None:
    assert "will be compared" in tables.board(a_run(comparison=Job("2", ("compare",))), {})
    failed = Job("2", ("compare",), State.FAILED, started=1.0, message=HOSTILE)
    html = tables.board(a_run(comparison=failed), {})
    assert "did not come about" in html
    assert inert(html)
    assert 'class="empty"' in tables.board(a_run(), {})


def test_checkpoints_show_what_is_known_of_them() -> None:
    metrics: dict[str, object] = {
        "tasks": {"detect": {"measures": {"AP50": {"value": 0.384}}}, "refer": 3}
    }
    rows = [
        Listing(HOSTILE, Path("/c"), 20_000_000, 0.0, metrics, problem=HOSTILE),
        Listing("mine", Path("/c"), 1, 0.0, {}),
    ]
    board = {"data": "/d/cups", "measures": [{"name": "AP50", "after": HIGH}]}
    boards = {"mine": tables.after_training(board)}
    html = tables.checkpoints(rows, "mine", {"mine": HOSTILE}, boards)
    assert inert(html)
    assert "AP50 0&#46;38" in html
    assert "AP50 0&#46;80 &#40;cups&#41;" in html
    assert html.count("answers now") == 1
    assert "20 MB" in html
