"""What the Teach tab says in HTML: reports, progress, the board, the checkpoints.

Names, file names and messages come from people and files: all of them are escaped here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import words
from app.jobs import Job, State, Trail
from app.phrases import clip, escape

if TYPE_CHECKING:
    from app.datasets import Dataset, Report
    from app.runs import Run
    from model.checkpoint import Listing

MOST_CLASSES = 12
MOST_REFUSED = 50
_TROUBLE = {State.FAILED, State.CRASHED}


def empty(text: str) -> str:
    """Returns the hint in a place where nothing is yet."""
    return f'<p class="empty">{escape(text)}</p>'


def title(text: str) -> str:
    """Returns the heading of a step."""
    return f'<h2 class="step">{escape(text)}</h2>'


def closed(has_token: bool) -> str:
    """Returns what a visitor reads who may not teach."""
    more = (
        f'<a href="/admin">{escape(words.TEACH_LOGIN)}</a>'
        if has_token
        else escape(words.TEACH_NO_TOKEN)
    )
    return f'<div class="empty"><p>{escape(words.TEACH_CLOSED)}</p><p>{more}</p></div>'


# --- data ----------------------------------------------------------------------------------------


def importing(name: str, job: Job, trail: Trail) -> str:
    """Returns how far an import is, or why it ended without a data set."""
    if job.state in _TROUBLE or job.state is State.STOPPED:
        return f'<p class="trouble" role="alert">{_lines(trail.message or job.message)}</p>'
    if job.state is State.WAITING:
        return f"<p>{escape(words.IMPORT_WAITS.format(name=name))}</p>"
    count = f" {trail.done:,} / {trail.whole:,}" if trail.whole else ""
    return f"<p>{escape(words.IMPORTING.format(name=name) + count)}</p>{_bar(trail.share)}"


def report(dataset: Dataset) -> str:
    """Returns what an import found: counts, classes, and every refused row with its reason."""
    found = dataset.report
    splits = ", ".join(
        f"{count:,} {words.REPORT_SPLITS.get(split, split)}"
        for split, count in found.pictures.items()
        if count
    )
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items() if count)
    lead = words.REPORT_PICTURES.format(count=sum(found.pictures.values()))
    lines = [
        f"<p><b>{escape(lead)}</b>: {escape(splits)}</p>",
        f"<p>{escape(counts)} · {escape(words.REPORT_READ.format(format=found.format))}</p>",
        _classes(found),
        _round_trip(found),
        *(f'<p class="note">{escape(note)}</p>' for note in _notes(found)),
        _refused(found),
    ]
    return f'<section class="report">{"".join(lines)}</section>'


def _classes(found: Report) -> str:
    most = max((c.boxes for c in found.classes), default=0)
    rows = [
        f'<tr><th scope="row">{escape(clip(c.name))}</th>'
        f'<td class="n">{c.boxes:,}</td><td class="n">{c.pictures:,}</td>'
        f'<td class="stretch">{_bar(c.boxes / most if most else 0)}</td></tr>'
        for c in found.classes[:MOST_CLASSES]
    ]
    if not rows:
        return ""
    more = found.num_classes - len(rows)
    rest = f'<p class="note">{escape(words.REPORT_MORE.format(count=more))}</p>' if more > 0 else ""
    return f"<table>{_head(words.REPORT_CLASS_HEAD, '<td></td>')}{''.join(rows)}</table>{rest}"


def _round_trip(found: Report) -> str:
    if not found.usable:
        text = words.data_trouble(found.pictures, found.round_trip_px)
        return f'<p class="trouble" role="alert">{escape(text)}</p>'
    return f"<p>{escape(words.REPORT_ROUND_TRIP.format(px=found.round_trip_px))}</p>"


def _notes(found: Report) -> Iterable[str]:
    if found.duplicates:
        yield words.REPORT_COPIES.format(count=found.duplicates)
    yield from found.notes


def _refused(found: Report) -> str:
    if not found.num_refused:
        return ""
    head = words.REPORT_REFUSED.format(count=found.num_refused)
    if found.num_lost:
        head += f"; {words.REPORT_LOST.format(count=found.num_lost)}"
    rows = [
        f"<li><code>{escape(clip(row.file, 80))}</code> {escape(clip(row.row, 60))}: "
        f"{escape(clip(row.reason, 300))}</li>"
        for row in found.refused[:MOST_REFUSED]
    ]
    more = found.num_refused - len(rows)
    if more > 0:
        rows.append(f"<li>{escape(words.REPORT_MORE.format(count=more))}</li>")
    return (
        f'<details class="refused" open><summary>{escape(head)}</summary>'
        f"<ul>{''.join(rows)}</ul></details>"
    )


# --- runs ----------------------------------------------------------------------------------------


def run(found: Run, waiting: Sequence[str]) -> str:
    """Returns how a run stands: its state, how far it is, what is left, what went wrong."""
    job, trail = found.job, found.trail
    state = escape(words.RUN_STATES[job.state])
    source = escape(words.RUN_FROM.format(parent=found.parent, data=found.data.name))
    lines = [
        f'<p><b>{escape(found.name)}</b> <span class="state {job.state}">{state}</span> '
        f'<span class="note">{source}</span></p>'
    ]
    if job.state in {State.RUNNING, State.STOPPING}:
        lines += [_bar(trail.share), f"<p>{escape(' · '.join(_progress(trail)))}</p>"]
    if job.state in _TROUBLE or (job.state is State.STOPPED and job.message):
        kind = "trouble" if job.state in _TROUBLE else "note"
        first, _, log = job.message.partition("\n")
        shown = trail.message if job.state is State.FAILED and trail.message else first
        lines.append(f'<p class="{kind}" role="alert">{escape(shown)}</p>')
        if log:
            lines.append(_fold(words.RUN_LOG, f"<pre>{_lines(log)}</pre>"))
    reasons = trail.plan.get("reasons")
    texts = [*(reasons if isinstance(reasons, list) else []), *trail.notes[-3:]]
    if texts:
        items = "".join(f"<li>{escape(str(text))}</li>" for text in texts)
        lines.append(_fold(words.RUN_PLAN, f"<ul>{items}</ul>"))
    others = [name for name in waiting if name != found.name]
    if others:
        lines.append(f"<p>{escape(words.RUN_QUEUE.format(names=', '.join(others)))}</p>")
    return f'<section class="run" aria-live="polite">{"".join(lines)}</section>'


def _progress(trail: Trail) -> Iterable[str]:
    if not trail.steps:
        yield words.RUN_PREPARING
        if trail.whole:
            yield f"{trail.done:,} / {trail.whole:,}"
        return
    last = trail.steps[-1]
    yield words.RUN_STEP.format(step=last.step, total=max(trail.total, last.step))
    yield words.RUN_LOSS.format(loss=last.loss)
    if trail.eta is not None:
        minutes, seconds = divmod(max(0, round(trail.eta)), 60)
        yield words.RUN_LEFT.format(time=f"{minutes}:{seconds:02d}")


# --- before and after ----------------------------------------------------------------------------


def board(found: Run, value: Mapping[str, Any]) -> str:
    """Returns the measures before and after with their intervals, or what keeps them away."""
    names = {"before": found.parent, "after": found.name}
    other = found.comparison
    if other is not None and not other.finished:
        if other.state is State.WAITING:
            return f"<p>{escape(words.BOARD_WAITS.format(**names))}</p>"
        progress = {"done": found.compared.done, "whole": found.compared.whole or "?"}
        text = words.BOARD_COMPARING.format(**names, **progress)
        return f"<p>{escape(text)}</p>{_bar(found.compared.share)}"
    if not value:
        message = other.message if other is not None and other.started else ""
        if message:
            text = words.BOARD_FAILED.format(message=message)
            return f'<p class="trouble">{_lines(text)}</p>'
        return empty(words.BOARD_EMPTY)
    split = words.SPLITS.get(str(value.get("split")), str(value.get("split")))
    head = words.BOARD_TITLE.format(**names, count=value.get("records", "?"), split=split)
    general = value.get("general")
    more = (
        f"<h3>{escape(words.BOARD_GENERAL)}</h3>{_measures(general)}"
        if general
        else f'<p class="note">{escape(words.BOARD_NO_GENERAL)}</p>'
    )
    return (
        f'<section class="board"><p><b>{escape(head)}</b></p>'
        f"{_measures(value.get('measures'))}{more}</section>"
    )


def _measures(rows: Any) -> str:  # noqa: ANN401
    cells = []
    for row in rows if isinstance(rows, list) else []:
        try:
            cells.append(_measure(row))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return f"<table>{_head(words.BOARD_HEAD)}{''.join(cells)}</table>"


def _measure(row: Mapping[str, Any]) -> str:
    before, after = row["before"], row["after"]
    change = float(after["value"]) - float(before["value"])
    apart = after["low"] > before["high"] or after["high"] < before["low"]
    kind = ("up" if change > 0 else "down") if apart else "even"
    sure = words.BOARD_SURE if apart else words.BOARD_UNSURE
    name = f"{row['task']} {row['name']}" if row.get("task") else row["name"]
    return (
        f'<tr><th scope="row">{escape(clip(str(name)))}</th>{_cell(before)}{_cell(after)}'
        f'<td class="n {kind}" title="{escape(sure)}">{change:+.3f}</td></tr>'
    )


def _cell(measure: Mapping[str, Any]) -> str:
    value, low, high = (float(measure[key]) for key in ("value", "low", "high"))
    return f'<td class="n">{value:.3f} <small>{low:.2f}–{high:.2f}</small></td>'


# --- checkpoints ---------------------------------------------------------------------------------


def checkpoints(
    rows: Sequence[Listing], served: str, parents: Mapping[str, str], boards: Mapping[str, str]
) -> str:
    """Returns the list of checkpoints.

    Args:
        rows: newest first.
        served: name of the one that answers.
        parents: what each began with, by name.
        boards: what was measured after training, by name.
    """
    body = []
    for row in rows:
        mark = f' <span class="state done">{words.CHECKPOINT_SERVED}</span>'
        bad = f'<br><small class="oops">{escape(clip(row.problem, 200))}</small>'
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.modified))
        body.append(
            f'<tr><th scope="row">{escape(clip(row.name))}{mark if row.name == served else ""}'
            f"{bad if row.problem else ''}</th>"
            f"<td>{escape(boards.get(row.name) or measured(row.metrics))}</td>"
            f"<td>{escape(clip(parents.get(row.name, '')))}</td>"
            f'<td class="n">{row.size / 1e6:.0f} MB</td><td class="n">{made}</td></tr>'
        )
    return f'<div class="wide"><table>{_head(words.CHECKPOINTS_HEAD)}{"".join(body)}</table></div>'


def measured(metrics: Mapping[str, Any]) -> str:
    """Returns the two best known numbers of a checkpoint's metrics; empty if there are none."""
    found = []
    for task, name, shown in (("detect", "AP50", "AP50"), ("refer", "acc50", "Acc@0.5")):
        try:
            value = metrics["tasks"][task]["measures"][name]["value"]
            found.append(f"{shown} {float(value):.2f}")
        except (KeyError, TypeError, ValueError):
            continue
    return " · ".join(found)


def after_training(value: Mapping[str, Any]) -> str:
    """Returns the AP50 on a board, with the data it was measured on; empty if there is none."""
    for row in value.get("measures") or ():
        try:
            if row["name"] == "AP50":
                data = Path(str(value.get("data"))).name
                return f"AP50 {float(row['after']['value']):.2f} ({clip(data, 24)})"
        except (KeyError, TypeError, ValueError):
            continue
    return ""


# --- pieces --------------------------------------------------------------------------------------


def _head(names: Sequence[str], more: str = "") -> str:
    """Returns a table's head; names that begin with a hash stand above numbers."""
    cells = (
        f'<th scope="col" class="n">{name[1:]}</th>'
        if name.startswith("#")
        else f'<th scope="col">{name}</th>'
        for name in names
    )
    return f"<tr>{''.join(cells)}{more}</tr>"


def _bar(share: float | None) -> str:
    if share is None:
        return '<progress class="bar"></progress>'
    return f'<progress class="bar" value="{share:.4f}" max="1"></progress>'


def _fold(summary: str, inside: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
