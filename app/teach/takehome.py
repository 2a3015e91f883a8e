"""Step 5 of teaching: a checkpoint as a file to download, or pushed to a model hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from app import words
from app.packing import TOKEN, packed_name
from app.phrases import escape
from app.teach import panels
from app.teach.section import Look, Part, Tab, Updates, html
from model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from app.jobs import Job
    from app.teaching import Teaching


@dataclass(slots=True)
class TakeHome:
    """The components of the step."""

    work: Teaching
    chosen: gr.Dropdown = field(init=False)
    pack: gr.Button = field(init=False)
    repository: gr.Textbox = field(init=False)
    push: gr.Button = field(init=False)
    said: gr.HTML = field(init=False)
    state: gr.HTML = field(init=False)
    file: gr.File = field(init=False)
    tab: Tab = field(init=False)

    def build(self) -> None:
        """Adds its components."""
        gr.HTML(f'<p class="note">{words.PACK_LEAD}</p>')
        with gr.Row(elem_id="pack-row"):
            self.chosen = gr.Dropdown(
                [], label=words.CHECKPOINTS_LABEL, interactive=True, scale=3, min_width=180
            )
            self.pack = gr.Button(words.PACK, size="md", min_width=90, elem_id="pack")
        with gr.Accordion(words.PUSH_TITLE, open=False, elem_id="push-fold"):
            able = self.work.packing.can_push
            if not able:
                text = words.PUSH_NO_TOKEN.format(token=TOKEN)
                gr.HTML(f'<p class="note">{text}</p>', elem_id="push-none")
            with gr.Row(visible=able):
                self.repository = gr.Textbox(
                    label=words.PUSH_LABEL, placeholder=words.PUSH_HINT, scale=3, max_lines=1
                )
                self.push = gr.Button(words.PUSH, size="md", min_width=90, elem_id="push")
        self.said = gr.HTML(visible=False, elem_id="pack-said")
        self.state = gr.HTML(visible=False, elem_id="packing")
        self.file = gr.File(
            label=words.PACK_FILE, visible=False, interactive=False, elem_id="packed"
        )

    def wire(self, tab: Tab) -> None:
        """Connects its events."""
        self.tab = tab
        tab.on(self.pack.click, self.on_pack, [self.chosen])
        tab.on(self.push.click, self.on_push, [self.chosen, self.repository])

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        return [self.chosen, self.said, self.state, self.file]

    def on_pack(self, name: str, chosen: str, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Begins to pack a checkpoint."""
        return self.tab.act(
            request, chosen, seen, self.said, lambda: self.work.take_home(name or "")
        )

    def on_push(
        self, name: str, repository: str, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Begins to pack and push a checkpoint."""

        def do() -> None:
            if not (repository or "").strip():
                raise InputError(words.PUSH_NAMELESS)
            self.work.take_home(name or "", repository.strip())

        return self.tab.act(request, chosen, seen, self.said, do)

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        names = [item.name for item in self.work.serving.checkpoints() if not item.problem]
        run = look.run.name if look.run else ""
        first = run if run in names else next(iter(names), None)
        yield Part(self.chosen, (names, first), lambda: gr.update(choices=names, value=first))
        job = self.work.packing.latest()
        yield html(self.state, self._state(job) if job else "")
        path = self.work.packing.archive(job) if job else None
        made = path.stat().st_mtime_ns if path else 0
        yield Part(self.file, (str(path), made), lambda: self._file(path))

    def _file(self, path: Path | None) -> Any:  # noqa: ANN401
        """Returns the update of the file: a copy that only who is sent it may read."""
        if path is None:
            return gr.update(value=None, visible=False)
        copy = save_file_to_cache(path, self.file.GRADIO_CACHE)
        self.file.temp_files.add(copy)
        return gr.update(value=copy, visible=True)

    def _state(self, job: Job) -> str:
        """Returns how packing stands, or how it went."""
        name, report = packed_name(job), self.work.packing.report(job)
        if not job.finished:
            return f"<p>{escape(words.PACKING.format(name=name))}</p>{panels.bar(None)}"
        if job.exit_code:
            trouble = words.PACK_FAILED.format(name=name, message=report.message or job.message)
            if self.work.packing.archive(job):  # what failed is the push
                trouble = report.message or job.message
            return f'<p class="trouble" role="alert">{escape(trouble)}</p>'
        said = " ".join([words.PACKED.format(name=name), *report.notes])
        return f'<p class="note" role="status">{escape(said)}</p>'
