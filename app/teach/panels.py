"""What the Teach tab says in HTML: import reports, and how runs stand.

Names, file names and messages come from people and files: all of them are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from app import words
from app.jobs import Job, State, Trail
from app.phrases import clip, escape

if TYPE_CHECKING:
    from app.datasets import Dataset, Report
    from app.runs import Run

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
        return f'<p class="trouble" role="alert">{lines(trail.message or job.message)}</p>'
    if job.state is State.WAITING:
        return f"<p>{escape(words.IMPORT_WAITS.format(name=name))}</p>"
    count = f" {trail.done:,} / {trail.whole:,}" if trail.whole else ""
    return f"<p>{escape(words.IMPORTING.format(name=name) + count)}</p>{bar(trail.share)}"


def report(dataset: Dataset) -> str:
    """Returns what an import found: counts, classes, and every refused row with its reason."""
    found = dataset.report
    order = [split for split in words.REPORT_SPLITS if found.pictures.get(split)]
    splits = ", ".join(f"{found.pictures[s]:,} {words.REPORT_SPLITS[s]}" for s in order)
    counts = ", ".join(_content(name, count) for name, count in found.counts.items() if count)
    lead = words.counted(words.PICTURES, sum(found.pictures.values()))
    rows = [
        f"<p><b>{escape(lead)}</b>: {escape(splits)}</p>",
        f"<p>{escape(counts)} · {escape(words.REPORT_READ.format(format=found.format))}</p>",
        _classes(found),
        _round_trip(found),
        *(f'<p class="note">{escape(note)}</p>' for note in _notes(found)),
        _refused(found),
    ]
    return f'<section class="report">{"".join(rows)}</section>'


def _content(name: str, count: int) -> str:
    forms = words.REPORT_COUNTS.get(name)
    return words.counted(forms, count) if forms else f"{count:,} {name}"


def _classes(found: Report) -> str:
    most = max((c.boxes for c in found.classes), default=0)
    rows = [
        f'<tr><th scope="row">{escape(clip(c.name))}</th>'
        f'<td class="n">{c.boxes:,}</td><td class="n">{c.pictures:,}</td>'
        f'<td class="stretch">{bar(c.boxes / most if most else 0)}</td></tr>'
        for c in found.classes[:MOST_CLASSES]
    ]
    if not rows:
        return ""
    more = found.num_classes - len(rows)
    rest = f'<p class="note">{escape(words.REPORT_MORE.format(count=more))}</p>' if more > 0 else ""
    return f"<table>{head(words.REPORT_CLASS_HEAD, '<td></td>')}{''.join(rows)}</table>{rest}"


def _round_trip(found: Report) -> str:
    if not found.usable:
        text = words.data_trouble(found.pictures, found.round_trip_px)
        return f'<p class="trouble" role="alert">{escape(text)}</p>'
    return f"<p>{escape(words.REPORT_ROUND_TRIP.format(px=found.round_trip_px))}</p>"


def _notes(found: Report) -> Iterable[str]:
    if found.duplicates:
        yield words.counted(words.REPORT_COPIES, found.duplicates)
    yield from found.notes


def _refused(found: Report) -> str:
    if not found.num_refused:
        return ""
    head = words.counted(words.REPORT_REFUSED, found.num_refused)
    if found.num_lost:
        head += f"; {words.counted(words.REPORT_LOST, found.num_lost)}"
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
    said = [
        f'<p><b>{escape(found.name)}</b> <span class="state {job.state}">{state}</span> '
        f'<span class="note">{source}</span></p>'
    ]
    if job.state in {State.RUNNING, State.STOPPING}:
        said += [bar(trail.share), f"<p>{escape(' · '.join(_progress(trail)))}</p>"]
    if job.state in _TROUBLE or (job.state is State.STOPPED and job.message):
        kind = "trouble" if job.state in _TROUBLE else "note"
        first, _, log = job.message.partition("\n")
        shown = trail.message if job.state is State.FAILED and trail.message else first
        said.append(f'<p class="{kind}" role="alert">{escape(shown)}</p>')
        if log:
            said.append(fold(words.RUN_LOG, f"<pre>{lines(log)}</pre>"))
    reasons = trail.plan.get("reasons")
    texts = [*(reasons if isinstance(reasons, list) else []), *trail.notes[-3:]]
    if texts:
        items = "".join(f"<li>{escape(str(text))}</li>" for text in texts)
        said.append(fold(words.RUN_PLAN, f"<ul>{items}</ul>"))
    others = [name for name in waiting if name != found.name]
    if others:
        said.append(f"<p>{escape(words.RUN_QUEUE.format(names=', '.join(others)))}</p>")
    return f'<section class="run" aria-live="polite">{"".join(said)}</section>'


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


# --- pieces --------------------------------------------------------------------------------------


def head(names: Sequence[str], more: str = "") -> str:
    """Returns a table's head; names that begin with a hash stand above numbers."""
    cells = (
        f'<th scope="col" class="n">{name[1:]}</th>'
        if name.startswith("#")
        else f'<th scope="col">{name}</th>'
        for name in names
    )
    return f"<tr>{''.join(cells)}{more}</tr>"


def bar(share: float | None) -> str:
    """Returns a bar that is filled so far; one that moves for an unknown share."""
    if share is None:
        return '<progress class="bar"></progress>'
    return f'<progress class="bar" value="{share:.4f}" max="1"></progress>'


def fold(summary: str, inside: str) -> str:
    """Returns something that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def lines(text: str) -> str:
    """Returns a text of several lines."""
    return escape(text).replace("\n", "<br>")
