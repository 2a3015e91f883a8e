"""Every limit, quota and switch of the page in one frozen `Settings`.

Each field is an option of `python app.py --field-name VALUE` and an environment variable
`DEIXIS_FIELD_NAME`; the command line wins over the environment, the environment over the default.
Gradio's own GRADIO_SERVER_NAME and GRADIO_SERVER_PORT are honoured, and on a Hugging Face Space
(SPACE_ID is set) the page listens on every interface under the name in SPACE_HOST.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from model.errors import ConfigError

MIB = 1024**2
DAY = 86_400

_ALIASES = {"host": "GRADIO_SERVER_NAME", "port": "GRADIO_SERVER_PORT"}
_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _names(text: str) -> tuple[str, ...]:
    """Returns the names of a list separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _switch(text: str) -> bool:
    """Returns whether a switch is on; raises ValueError for other words."""
    if text.lower() not in _SWITCH:
        raise ValueError("expected yes or no")
    return _SWITCH[text.lower()]


def _option(default: Any, words: str, read: Callable[[str], Any] = int) -> Any:  # noqa: ANN401
    """Returns a field with its help text and the function that reads it from text."""
    return field(default=default, metadata={"help": words, "read": read})


def _secret(words: str) -> Any:  # noqa: ANN401
    """Returns a text field that never shows up in a repr or on a command line."""
    return field(default="", repr=False, metadata={"help": words, "read": str, "secret": True})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the owner of a deployment may choose; the help text of each field states its unit."""

    host: str = _option("127.0.0.1", "address to listen on", str)
    port: int = _option(7860, "TCP port to listen on; 0 takes a free one")
    model: str = _option("checkpoints/deixis-tiny", "name, hub id or folder of the model", str)
    device: str = _option("auto", "where the model runs: cpu, cuda, mps, or auto for the best", str)
    corrections: Path = _option(Path("runs/corrections"), "folder of saved examples", Path)  # noqa: RUF009
    cache: Path = _option(Path("runs/cache"), "folder of temporary files", Path)  # noqa: RUF009
    checkpoints: Path = _option(Path("checkpoints"), "folder of checkpoints to serve", Path)  # noqa: RUF009
    teaching: Path = _option(Path("runs/teaching"), "folder of data sets and training runs", Path)  # noqa: RUF009
    dataset_roots: tuple[str, ...] = _option(
        ("data", "datasets"), "folders whose data sets the admin may import, by commas", _names
    )
    replay: Path = _option(Path("assets/replay.jsonl"), "earlier records to mix in", Path)  # noqa: RUF009
    general: Path = _option(Path("assets/samples.jsonl"), "records of general skill", Path)  # noqa: RUF009
    threads: int = _option(0, "CPU threads of the model; 0 leaves the choice to it")
    concurrency: int = _option(2, "answers computed at the same time")
    queue_size: int = _option(64, "requests that wait before further ones are turned away")

    max_pixels: int = _option(40_000_000, "pixels of a picture, width × height")
    min_side: int = _option(8, "pixels of a picture's shorter side, at least")
    max_side_ratio: float = _option(50.0, "longer side divided by shorter side, at most", float)
    kept_side: int = _option(4096, "pixels of the longer side above which a picture is reduced")
    max_upload_bytes: int = _option(20 * MIB, "bytes of one uploaded file")
    max_dataset_bytes: int = _option(1024 * MIB, "bytes of a data set that the admin uploads")
    max_body_bytes: int = _option(8 * MIB, "bytes of any other request body, data: URLs included")
    max_text: int = _option(2_000, "characters of a question or a corrected caption")
    max_regions: int = _option(100, "regions drawn in one turn")
    max_turns: int = _option(50, "turns kept of one conversation")

    session_age: int = _option(3_600, "seconds after which an idle person is forgotten")
    max_people: int = _option(1_000, "people remembered at once; the longest idle is forgotten")
    file_age: int = _option(3_600, "seconds after which temporary files are deleted")
    cache_bytes: int = _option(2048 * MIB, "bytes of temporary files; the oldest are deleted first")
    answer_seconds: int = _option(120, "seconds one answer may take")
    asks_per_minute: int = _option(300, "calls of one person in a minute")
    uploads_per_minute: int = _option(30, "uploads of one person in a minute")
    logins_per_minute: int = _option(5, "tries to log in from one address in a minute")

    corrections_bytes: int = _option(1024 * MIB, "bytes of saved examples with their pictures")
    corrections_count: int = _option(5_000, "saved examples")
    corrections_age: int = _option(0, "seconds after which saved examples are deleted; 0 keeps all")

    mcp: bool = _option(False, "whether programs may call as MCP tools; needs gradio[mcp]", _switch)
    trusted_hosts: tuple[str, ...] = _option(
        (), "host names this page is reached by, separated by commas", _names
    )
    trusted_proxy: bool = _option(
        False, "whether a proxy of yours sets X-Forwarded-For, -Host and -Proto", _switch
    )
    frame_ancestors: tuple[str, ...] = _option(
        (), "origins that may show the page in a frame, separated by commas", _names
    )
    admin_token: str = _secret("password of the admin; only DEIXIS_ADMIN_TOKEN sets it")
    space: str = _option("", "name of the Hugging Face Space this runs on, else empty", str)

    def __post_init__(self) -> None:
        zero_is_a_choice = {"port", "threads", "corrections_age"}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            least = 0 if item.name in zero_is_a_choice else 1
            if not value >= least:
                raise ConfigError(f"{item.name} is {value}; choose a number of at least {least}.")
        if self.port > 65_535:
            raise ConfigError(f"port is {self.port}; choose one from 0 to 65535.")
        if self.admin_token and len(self.admin_token) < 12:
            raise ConfigError("The admin token is shorter than 12 characters; choose a longer one.")

    @classmethod
    def read(
        cls, arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Returns the settings of a command line and an environment.

        Args:
            arguments: words after the program's name; None takes the process's own.
            environment: None takes the process's own.

        Raises:
            ConfigError: an environment variable or a combination cannot be used.
            SystemExit: the command line cannot be read, or asks for help.
        """
        environment = os.environ if environment is None else environment
        values = _from_environment(environment)
        parser = _parser()
        values |= vars(parser.parse_args(arguments))
        return cls(**values)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the page; its user is then the admin."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback and not self.trusted_proxy
        except ValueError:
            return False

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names a request may carry; any other is an attempt at DNS rebinding."""
        names = ["localhost", "127.0.0.1", "[::1]", "::1", *self.trusted_hosts]
        if self.host in {"0.0.0.0", "::"}:
            names += [socket.gethostname(), *_own_addresses()]
        elif self.host not in names:
            names.append(self.host)
        return tuple(dict.fromkeys(names))


def _parser() -> argparse.ArgumentParser:
    """Returns a parser with an option for every field that is no secret."""
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="Chat with pictures by pointing at them.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for item in fields(Settings):
        if "secret" in item.metadata:
            continue
        parser.add_argument(
            f"--{item.name.replace('_', '-')}",
            type=item.metadata["read"],
            metavar=item.name.upper(),
            help=f"{item.metadata['help']} (default: {item.default})".replace("%", "%%"),
        )
    return parser


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Returns the fields an environment sets, read but not yet checked together."""
    values: dict[str, Any] = {}
    if environment.get("SPACE_ID"):
        values |= {
            "space": environment["SPACE_ID"],
            "host": "0.0.0.0",
            "trusted_proxy": True,
            "trusted_hosts": _names(environment.get("SPACE_HOST", "")),
            "frame_ancestors": ("https://huggingface.co",),
        }
    for item in fields(Settings):
        for name in (_ALIASES.get(item.name, ""), f"DEIXIS_{item.name.upper()}"):
            text = environment.get(name, "")
            if not text:
                continue
            try:
                values[item.name] = item.metadata["read"](text)
            except ValueError as error:
                raise ConfigError(
                    f"{name} is {text!r:.80}; it is: {item.metadata['help']}."
                ) from error
    return values


def _own_addresses() -> list[str]:
    """Returns this machine's addresses as far as its own name tells them."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return []
    return [str(entry[4][0]) for entry in found]
