"""Step 3 of teaching: before and after on the same pictures; serving the better one, going back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.runs import read_json
from app.teach import panels, sheets, tables
from app.teach.album import Album
from app.teach.section import Look, Part, Tab, Updates, earlier, html, serving_state, shown
from model.checkpoint import is_there

if TYPE_CHECKING:
    from app.runs import Run
    from app.teaching import Teaching


@dataclass(slots=True)
class Results:
    """The components of the step."""

    work: Teaching
    board: gr.HTML = field(init=False)
    album: Album = field(init=False)
    serve: gr.Button = field(init=False)
    back: gr.Button = field(init=False)
    compare: gr.Button = field(init=False)
    general: gr.Dropdown = field(init=False)
    again: gr.Row = field(init=False)
    said: gr.HTML = field(init=False)
    state: gr.HTML = field(init=False)
    tab: Tab = field(init=False)

    def build(self) -> None:
        """Adds its components."""
        self.board = gr.HTML(elem_id="board")
        self.said = gr.HTML(visible=False, elem_id="serve-said")
        self.state = gr.HTML(visible=False, elem_id="serving")
        with gr.Row(elem_id="serve-row"):
            self.serve = gr.Button(
                words.SERVE, variant="primary", visible=False, size="md", elem_id="serve"
            )
            self.back = gr.Button(words.BACK, visible=False, size="md", elem_id="back")
        self.album = Album(words={"enlarged": words.ENLARGED}, elem_id="board-pictures")
        with gr.Row(visible=False) as self.again:
            self.general = gr.Dropdown([], label=words.GENERAL, interactive=True, scale=3)
            self.compare = gr.Button(words.COMPARE, size="sm", scale=1, elem_id="compare")

    def wire(self, tab: Tab) -> None:
        """Connects its events."""
        self.tab = tab
        tab.on(self.serve.click, self.on_serve)
        tab.on(self.back.click, self.on_back)
        tab.on(self.compare.click, self.on_compare, [self.general])

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        return [self.board, self.album, self.serve, self.back, self.again, self.general,
                self.said, self.state]  # fmt: skip

    # --- events ----------------------------------------------------------------------------------

    def on_serve(self, chosen: str, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Puts the checkpoint of the run on display in place."""
        name = str(seen.get("run") or "")
        return self.tab.act(request, chosen, seen, self.said, lambda: self.work.serve(name))

    def on_back(self, chosen: str, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Puts the model that was served before in place."""
        return self.tab.act(request, chosen, seen, self.said, self.work.serving.go_back)

    def on_compare(
        self, general: str, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Compares before and after once more."""
        name = str(seen.get("run") or "")
        return self.tab.act(
            request, chosen, seen, self.said, lambda: self.work.compare(name, general or "")
        )

    # --- what is shown ---------------------------------------------------------------------------

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        run, serving = look.run, self.work.serving
        value = read_json(run.board) if run else {}
        text = tables.board(run, value) if run else panels.empty(words.BOARD_EMPTY)
        yield html(self.board, text)
        made = run.board.stat().st_mtime_ns if run and value else 0
        name = run.name if run else ""
        yield Part(self.album, (name, made), lambda: gr.update(**_album(run, value)))
        ready = run is not None and run.job.finished and self._saved(run)
        yield shown(
            self.serve,
            ready and name != serving.served and not serving.loading,
            value=words.SERVE_RUN.format(name=name),
        )
        yield shown(
            self.back,
            bool(serving.before) and not serving.loading,
            value=words.BACK_TO.format(name=serving.before),
        )
        yield shown(self.again, ready and run is not None and not run.alive)
        taught = run.data.name if run else ""
        yield earlier(self.general, self.work, self.work.settings.general, taught)
        yield serving_state(self.state, serving)

    def _saved(self, run: Run) -> bool:
        folders = (self.work.settings.checkpoints / run.name, run.folder / "best")
        return any(map(is_there, folders))


def _album(run: Run | None, value: Any) -> dict[str, Any]:  # noqa: ANN401
    return sheets.board(value, run.data) if run else {"items": [], "legend": []}
