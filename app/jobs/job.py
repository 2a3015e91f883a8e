"""What a training run is, and which words may be passed on to one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app import words
from model.errors import ConfigError, InputError

VERBS = ("import", "train", "calibrate", "evaluate", "compare", "export", "merge")
"""What `python -m model.training` can do."""

MAX_WORD = 1_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPTION = re.compile(r"[a-z][a-z-]{0,40}")


class State(StrEnum):
    """What has become of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    CRASHED = "crashed"


ALIVE = frozenset({State.RUNNING, State.STOPPING})


@dataclass(frozen=True, slots=True)
class Job:
    """A training run.

    Attributes:
        id: names its folder.
        arguments: words after `python -m model.training`.
        state: what has become of it.
        created, started, stop_asked, ended: seconds since 1970; None if not yet.
        pid: of its process.
        born: when that process began.
        exit_code: None if nobody saw it.
        message: a sentence for people about how it ended; after a crash with the last log lines.
        after: id of the job that must be done first, or be stopped after it has saved; if that one
            fails, this one never starts.
    """

    id: str
    arguments: tuple[str, ...]
    state: State = State.WAITING
    created: float = 0.0
    started: float | None = None
    stop_asked: float | None = None
    ended: float | None = None
    pid: int | None = None
    born: float | None = None
    exit_code: int | None = None
    message: str = ""
    after: str | None = None

    @property
    def verb(self) -> str:
        """What the job does, one of `VERBS`."""
        return self.arguments[0]

    @property
    def options(self) -> dict[str, str]:
        """The options it was given, by name without dashes."""
        given = (word[2:].partition("=") for word in self.arguments if word.startswith("--"))
        return {name: value for name, _, value in given}

    @property
    def finished(self) -> bool:
        """Whether it will not change any more."""
        return self.state not in ALIVE and self.state is not State.WAITING


def checked_name(text: str) -> str:
    """Returns the name of a data set, a run or a checkpoint, fit for a folder.

    Raises:
        InputError: it is no plain name; paths, addresses and options never are.
    """
    if not _NAME.fullmatch(text):
        raise InputError(words.RUN_NO_NAME.format(name=f"{text!r:.60}"))
    return text


def command_line(
    verb: str, options: Mapping[str, object] | None = None, paths: Sequence[Path] = ()
) -> tuple[str, ...]:
    """Returns the words after `python -m model.training`, none of which a value can forge.

    Args:
        verb: one of `VERBS`.
        options: by name without dashes; True stands for a switch, None and False for nothing.
        paths: positional arguments; made absolute, so that none can be taken for an option.

    Raises:
        ConfigError: the verb, an option's name or a value cannot be passed on.
    """
    if verb not in VERBS:
        raise ConfigError(words.RUN_NO_VERB.format(verb=f"{verb!r:.40}", verbs=", ".join(VERBS)))
    line = [verb]
    for name, value in (options or {}).items():
        if not _OPTION.fullmatch(name):
            raise ConfigError(words.RUN_NO_OPTION.format(name=f"{name!r:.40}"))
        if value is True:
            line.append(f"--{name}")
        elif value is not None and value is not False:
            text = str(value.resolve()) if isinstance(value, Path) else str(value)
            line.append(f"--{name}={_plain(text)}")
    return (*line, *(_plain(str(path.resolve())) for path in paths))


def _plain(text: str) -> str:
    if len(text) > MAX_WORD or not text.isprintable():
        raise ConfigError(words.RUN_NO_WORD.format(word=f"{text!r:.60}"))
    return text
