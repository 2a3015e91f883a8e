"""What the Teach tab says in tables: the board of before and after, the checkpoints.

Names and messages come from people and files: all of them are escaped here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import words
from app.jobs import State
from app.phrases import clip, escape
from app.teach.panels import bar, empty, fold, head, lines

if TYPE_CHECKING:
    from app.runs import Run
    from model.checkpoint import Listing

MAIN = {"AP", "AP50", "Acc@0.5", "naming"}
"""The measures that matter most; any others are folded away."""


def board(found: Run, value: Mapping[str, Any]) -> str:
    """Returns the measures before and after with their intervals, or what keeps them away."""
    names = {"before": found.parent, "after": found.name}
    other = found.comparison
    if other is not None and not other.finished:
        if other.state is State.WAITING:
            return f"<p>{escape(words.BOARD_WAITS.format(**names))}</p>"
        progress = {"done": found.compared.done, "whole": found.compared.whole or "?"}
        text = words.BOARD_COMPARING.format(**names, **progress)
        return f"<p>{escape(text)}</p>{bar(found.compared.share)}"
    if not value:
        message = other.message if other is not None and other.started else ""
        if message:
            text = words.BOARD_FAILED.format(message=message)
            return f'<p class="trouble">{lines(text)}</p>'
        return empty(words.BOARD_EMPTY)
    split = words.BOARD_SPLITS.get(str(value.get("split")), words.PICTURES)
    pictures = words.counted(split, value.get("records", "?"))
    head = words.BOARD_TITLE.format(**names, pictures=pictures)
    general = value.get("general")
    data = clip(Path(str(value.get("general_data") or "?")).name, 40)
    earlier = words.counted(words.BOARD_GENERAL, value.get("general_records", "?"), data=data)
    more = (
        f"<h3>{escape(earlier)}</h3>{_measures(general)}"
        if general
        else f'<p class="note">{escape(words.BOARD_NO_GENERAL)}</p>'
    )
    return (
        f'<section class="board"><p><b>{escape(head)}</b></p>'
        f"{_measures(value.get('measures'))}{more}</section>"
    )


def _measures(rows: Any) -> str:  # noqa: ANN401
    """Returns the measures that matter most in a table, and all others folded away."""
    main, others = [], []
    for row in rows if isinstance(rows, list) else []:
        try:
            (main if row["name"] in MAIN else others).append(_measure(row))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    if not main:
        main, others = others, []
    top = head(words.BOARD_HEAD)
    more = f"<table>{top}{''.join(others)}</table>"
    rest = fold(words.counted(words.BOARD_MORE, len(others)), more) if others else ""
    return f"<table>{top}{''.join(main)}</table>{rest}"


def _measure(row: Mapping[str, Any]) -> str:
    before, after = row["before"], row["after"]
    change = float(after["value"]) - float(before["value"])
    apart = after["low"] > before["high"] or after["high"] < before["low"]
    kind = ("up" if change > 0 else "down") if apart else "even"
    sure = words.BOARD_SURE if apart else words.BOARD_UNSURE
    name = f"{row.get('task') or ''} {row['name']}".strip()
    return (
        f'<tr><th scope="row">{escape(clip(str(name)))}</th>{_cell(before)}{_cell(after)}'
        f'<td class="n {kind}" title="{escape(sure)}">{change:+z.3f}</td></tr>'
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
    return f'<div class="wide"><table>{head(words.CHECKPOINTS_HEAD)}{"".join(body)}</table></div>'


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
