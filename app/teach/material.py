"""Step 1 of teaching: choosing data, and seeing what the model will be shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import words
from app.datasets import CORRECTIONS, Dataset
from app.jobs import State
from app.teach import panels, sheets
from app.teach.album import Album
from app.teach.section import Done, Look, Part, Tab, Updates, html, shown
from model.errors import DeixisError, InputError

if TYPE_CHECKING:
    from app.teaching import Teaching

MINE = "corrections:"
"""Value of the list that stands for the corrections as they are now."""


@dataclass(slots=True)
class Material:
    """The components of the step."""

    work: Teaching
    chosen: gr.Dropdown = field(init=False)
    upload: gr.UploadButton = field(init=False)
    folder: gr.Textbox = field(init=False)
    go: gr.Button = field(init=False)
    said: gr.HTML = field(init=False)
    report: gr.HTML = field(init=False)
    fold: gr.Accordion = field(init=False)
    sheet: Album = field(init=False)
    remove: gr.Button = field(init=False)
    sure: gr.Checkbox = field(init=False)
    tab: Tab = field(init=False)

    def build(self) -> None:
        """Adds its components."""
        with gr.Row(elem_id="teach-choose"):
            self.chosen = gr.Dropdown(
                [], label=words.DATA_LABEL, interactive=True, scale=3, min_width=200, elem_id="data"
            )
            self.upload = gr.UploadButton(
                words.DATA_UPLOAD, file_types=[".zip"], size="md", scale=1, elem_id="upload-data"
            )
        roots = ", ".join(self.work.settings.dataset_roots)
        with gr.Accordion(words.DATA_FOLDER, open=False, elem_id="data-folder"), gr.Row():
            self.folder = gr.Textbox(
                label=words.DATA_FOLDER,
                show_label=False,
                placeholder=words.DATA_FOLDER_HINT.format(roots=roots),
                container=False,
                scale=3,
            )
            self.go = gr.Button(words.DATA_IMPORT, size="md", scale=1, min_width=90)
        self.said = gr.HTML(visible=False, elem_id="data-said")
        self.report = gr.HTML(elem_id="report")
        with gr.Accordion(words.SHEET_TITLE, open=True, visible=False) as self.fold:
            self.sheet = Album(words={"enlarged": words.ENLARGED}, elem_id="sheet")
        self.remove = gr.Button(words.DATA_DELETE, size="sm", visible=False, elem_id="data-delete")
        self.sure = gr.Checkbox(False, label=words.DATA_SURE, visible=False, elem_id="data-sure")

    def wire(self, tab: Tab) -> None:
        """Connects its events."""
        self.tab = tab
        tab.on(self.chosen.input, self.on_choose)
        tab.on(self.upload.upload, self.on_upload, [self.upload])
        for event in (self.go.click, self.folder.submit):
            tab.on(event, self.on_folder, [self.folder])
        tab.on(self.remove.click, self.on_remove, [self.sure])

    def components(self) -> list[Any]:
        """Returns all components it may change."""
        return [self.chosen, self.said, self.report, self.fold, self.sheet, self.remove,
                self.sure]  # fmt: skip

    # --- events ----------------------------------------------------------------------------------

    def on_choose(self, chosen: str, seen: dict[str, Any], request: gr.Request) -> Updates:
        """Shows another data set."""
        return self.tab.act(request, chosen, seen, self.said, lambda: None)

    def on_upload(
        self, file: str | None, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Imports an archive."""

        def do() -> Done:
            if not file:
                raise InputError(words.UPLOAD_NO_ZIP)
            return Done(self.work.import_file(Path(file)))

        return self.tab.act(request, chosen, seen, self.said, do)

    def on_folder(
        self, text: str, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Imports a folder of this machine."""
        return self.tab.act(
            request, chosen, seen, self.said, lambda: Done(self.work.import_folder(text or ""))
        )

    def on_remove(
        self, sure: bool, chosen: str, seen: dict[str, Any], request: gr.Request
    ) -> Updates:
        """Deletes the data set on display, once the box below is ticked."""

        def do() -> Done:
            if not sure:
                return Done(text=words.TICK_FIRST)
            self.work.delete_data(str(seen.get("data") or ""))
            return Done("")

        return self.tab.act(request, chosen, seen, self.said, do)

    # --- what is shown ---------------------------------------------------------------------------

    def settle(self, chosen: str | None) -> tuple[str | None, str]:
        """Returns the value the list takes, and the name of the data set behind it."""
        values = [value for _, value in self._choices()]
        chosen = chosen if chosen in values else values[0] if values else None
        if chosen != MINE:
            return chosen, chosen or ""
        with suppress(DeixisError):  # the next look tries again
            return chosen, self.work.import_corrections()
        return chosen, ""

    def _choices(self) -> list[tuple[str, str]]:
        """Returns the list: what is imported or on its way, newest first; then the corrections."""
        known = {dataset.name: dataset for dataset in self.work.datasets.all()}
        found = [(_label(dataset), name) for name, dataset in known.items()]
        coming = []
        for job in reversed(self.work.imports.all()):
            name = Path(job.options["out"]).name
            if name not in known and job.state is not State.DONE:
                text = words.DATA_FAILED if job.finished else words.DATA_PENDING
                coming.append((text.format(name=name), name))
        everything = [*coming, *found]
        mine = [item for item in everything if not item[1].startswith(f"{CORRECTIONS}-")]
        count = self.work.datasets.num_corrections()
        if count:
            mine.append((words.counted(words.DATA_CORRECTIONS, count), MINE))
        return mine

    def parts(self, look: Look) -> Iterator[Part]:
        """Yields what it shows."""
        choices = self._choices()
        yield Part(
            self.chosen,
            (choices, look.chosen),
            lambda: gr.update(choices=choices, value=look.chosen, visible=bool(choices)),
        )
        dataset = self._dataset(look.data)
        yield html(self.report, self._report(look.data, dataset))
        yield shown(self.fold, dataset is not None)
        content = (dataset.name, dataset.made) if dataset else None
        yield Part(self.sheet, content, lambda: _sheet(dataset))
        own = bool(look.data) and look.chosen != MINE
        yield shown(self.remove, own)
        yield Part(self.sure, (own, look.data), lambda: gr.update(value=False, visible=own))

    def _dataset(self, name: str) -> Dataset | None:
        try:
            return self.work.datasets.get(name)
        except InputError:
            return None

    def _report(self, name: str, dataset: Dataset | None) -> str:
        if dataset is not None:
            return panels.report(dataset)
        job = self.work.importing(name) if name else None
        if job is None:
            return panels.empty(words.DATA_EMPTY)
        return panels.importing(name, job, self.work.imported(job))


def _label(dataset: Dataset) -> str:
    count = sum(dataset.report.pictures.values())
    return words.counted(words.DATA_CHOICE, count, name=dataset.name)


def _sheet(dataset: Dataset | None) -> Any:  # noqa: ANN401
    if dataset is None:
        return gr.update(items=[], legend=[])
    return gr.update(**sheets.contact_sheet(dataset.sheet(), dataset.folder))
