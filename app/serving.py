"""Which checkpoint answers: tried before it is swapped in, remembered, and taken back on demand.

A checkpoint is loaded beside the one that serves, must answer about a sample picture, and only then
takes its place, so whatever is wrong with it nobody but the admin notices. What is served lies on
disk and outlives the server.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app import disk, trial, words
from model import checkpoint
from model.backends import PUBLISHED
from model.errors import DeixisError, InputError

if TYPE_CHECKING:
    from app.host import Host
    from app.settings import Settings
    from model.backends.base import Backend
    from model.checkpoint import Listing

Told = Callable[[str], None]
"""Told what is being done, in words for people."""
Opener = Callable[[str, Told], "Backend"]
"""Returns the model of a name or path, loaded and ready."""

EMBEDDED = "deixis-tiny"
STEPS_BACK = 20
_LOG = logging.getLogger("deixis")


@dataclass(frozen=True, slots=True)
class Service:
    """What is served, as it lies on disk.

    Attributes:
        model: of the settings at that time; another one makes all of this void.
        served: name of the checkpoint; empty stands for the model of the settings.
        previous: what was served before, the latest last.
        note: why something else is served than was asked for; empty if nothing went wrong.
    """

    model: str
    served: str = ""
    previous: tuple[str, ...] = ()
    note: str = ""


def remembered(settings: Settings) -> Service:
    """Returns what was served when it was last changed."""
    try:
        value = json.loads(_file(settings).read_text(encoding="utf-8"))
        service = Service(**value | {"previous": tuple(value["previous"])})
    except (OSError, ValueError, KeyError, TypeError):
        return Service(settings.model)
    return service if service.model == settings.model else Service(settings.model)


def reopen(settings: Settings, open_model: Opener, tell: Told = lambda told: None) -> Backend:
    """Returns the model that was served last; the settings' own if that one is gone or broken.

    Args:
        settings: the folders, and the model to start with.
        open_model: loads a model.
        tell: told how far it is.

    Raises:
        DeixisError: the model of the settings cannot be loaded either.
    """
    service = remembered(settings)
    if service.served:
        try:
            return open_model(_path(settings, service.served), tell)
        except DeixisError as error:
            note = words.SERVE_LOST.format(name=service.served, error=error)
            with suppress(OSError):
                _remember(settings, Service(settings.model, note=note))
    return open_model(settings.model, tell)


def _path(settings: Settings, key: str) -> str:
    """Returns what opens the model of a key: a folder of a checkpoint, or a published name."""
    folder = settings.checkpoints / key
    return key if key in PUBLISHED and not folder.exists() else str(folder)


def _file(settings: Settings) -> Path:
    return settings.teaching / "served.json"


def _remember(settings: Settings, service: Service) -> None:
    path = _file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.write(path, json.dumps(asdict(service), indent=1).encode())


def _whole(name: str) -> bool:
    """Returns whether a folder is none that is being written or deleted."""
    return not name.startswith(".") and not name.endswith((".staging", ".old"))


class Serving:
    """Swaps the model behind the page, and knows the way back.

    Args:
        host: holds the model that answers.
        settings: the folders, and the model to start with.
        open_model: loads a model.

    Attributes:
        loading: name of the checkpoint that is being tried; empty if none is.
        told: how far that is, in words for people; empty if nothing is known.
        error: why the last one was not taken; empty if it was.
    """

    def __init__(self, host: Host, settings: Settings, open_model: Opener) -> None:
        self._host, self._settings, self._open = host, settings, open_model
        self.loading = self.told = self.error = ""
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._listed: tuple[list[tuple[str, int]], list[Listing]] = ([], [])

    @property
    def service(self) -> Service:
        """What is served and what was served before."""
        return remembered(self._settings)

    @property
    def served(self) -> str:
        """Name of the checkpoint that answers."""
        return self._shown(self.service.served)

    @property
    def before(self) -> str:
        """Name of what `go_back` would bring; empty if there is no way back."""
        previous = self.service.previous
        return self._shown(previous[-1]) if previous else ""

    @property
    def device(self) -> str:
        """Where models run, such as `cpu`."""
        card = self._host.card
        return card.device if card is not None else "cpu"

    def _shown(self, key: str) -> str:
        return key or Path(self._settings.model).name

    def checkpoints(self) -> list[Listing]:
        """Returns the checkpoints that could be served, newest first; broken ones say why.

        Files are read only after one of them has changed: a look at the page must cost nothing.
        """
        root = self._settings.checkpoints
        files = sorted(root.glob("[!.]*/*"))
        marks = [(str(path), path.stat().st_mtime_ns) for path in files if path.exists()]
        with self._lock:
            if marks != self._listed[0]:
                found = [item for item in checkpoint.listing(root) if _whole(item.name)]
                self._listed = marks, found
            return self._listed[1]

    # --- changes: only for the admin, which whoever calls has checked ----------------------------

    def serve(self, name: str, *, alone: bool = False) -> None:
        """Begins to put a checkpoint or a published model in place; returns at once.

        Args:
            name: of the checkpoint, or of the published model.
            alone: let the present one go first, so that both need not fit into memory; nobody is
                answered meanwhile, and the present one comes back if the new one fails.

        Raises:
            InputError: there is no such model, or another one is being tried.
        """
        key = name if name in PUBLISHED and name not in self._folders() else self._key(name)
        service = self.service
        if key == service.served:
            raise InputError(words.SERVE_ALREADY.format(name=name))
        previous = (*service.previous, service.served)[-STEPS_BACK:]
        self._begin(replace(service, served=key, previous=previous, note=""), alone=alone)

    def go_back(self) -> None:
        """Begins to put the model that was served before in place; returns at once.

        Raises:
            InputError: there was none, or another one is being tried.
        """
        service = self.service
        if not service.previous:
            raise InputError(words.BACK_NOWHERE)
        *rest, key = service.previous
        self._begin(replace(service, served=key, previous=tuple(rest), note=""))

    def delete(self, name: str) -> None:
        """Deletes a checkpoint.

        Raises:
            InputError: there is none of this name, or it is needed.
        """
        with self._lock:
            key, service = self._key(name), self.service
            if not key or name == EMBEDDED:
                raise InputError(words.DELETE_EMBEDDED.format(name=name))
            if key in {service.served, self.loading}:
                raise InputError(words.DELETE_SERVED.format(name=name))
            folder = self._settings.checkpoints / key
            going = folder.with_name(f".{key}.deleted")
            shutil.rmtree(going, ignore_errors=True)
            try:
                folder.rename(going)
                shutil.rmtree(going)
                previous = tuple(other for other in service.previous if other != key)
                _remember(self._settings, replace(service, previous=previous))
            except OSError as error:
                raise InputError(words.DELETE_FAILED.format(name=name, error=error)) from error

    def wait(self) -> None:
        """Returns when nothing is being tried any more."""
        if self._thread is not None:
            self._thread.join()

    def _key(self, name: str) -> str:
        """Returns a checkpoint's name; empty for the model of the settings.

        Raises:
            InputError: there is no such checkpoint.
        """
        known = self._folders()
        if name not in known:
            raise InputError(words.SERVE_UNKNOWN.format(name=f"{name!r:.60}"))
        own = Path(self._settings.model)
        return "" if own.exists() and own.resolve() == known[name].resolve() else name

    def _folders(self) -> dict[str, Path]:
        return {item.name: item.folder for item in self.checkpoints()}

    def tell(self, told: str) -> None:
        """Notes how far the loading is."""
        self.told = told

    def _begin(self, wanted: Service, *, alone: bool = False) -> None:
        with self._lock:
            if self.loading:
                raise InputError(words.SERVE_BUSY.format(name=self.loading))
            if not self._host.settled:
                raise InputError(words.SERVE_BUSY.format(name=self._host.name))
            self.loading, self.told, self.error = self._shown(wanted.served), "", ""
            self._thread = threading.Thread(
                target=self._change, args=(wanted, alone), name="swap-model", daemon=True
            )
            self._thread.start()

    def _change(self, wanted: Service, alone: bool) -> None:
        """Loads, tries and swaps; whatever goes wrong before leaves everything as it was."""
        backend = None
        try:
            if alone:
                self._host.put_away(self.loading)
            key = wanted.served
            path = _path(self._settings, key) if key else self._settings.model
            backend = self._open(path, self.tell)
            self.tell(words.SERVING_TRIED)
            trial.note(self._settings, backend, trial.try_out(backend))
            _remember(self._settings, wanted)
        except Exception as error:  # in a thread: the admin reads it on the page
            if not isinstance(error, DeixisError):
                _LOG.exception("The checkpoint could not be served")
            self.error = words.SERVE_FAILED.format(name=self.loading, error=error)
            if backend is not None:
                backend.close()
            if alone:
                self._bring_back()
        else:
            self._host.swap(backend)
        finally:
            self.loading = self.told = ""

    def _bring_back(self) -> None:
        """Loads the model that was let go, after the one in its place has failed."""
        try:
            self._host.swap(reopen(self._settings, self._open, self.tell))
        except Exception as error:  # then the page says why there is none
            _LOG.exception("The model that was let go could not be loaded again")
            self._host.give_up(str(error))
