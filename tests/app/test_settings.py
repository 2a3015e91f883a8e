"""Settings: where values come from, what is refused, and what is never shown."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from app.settings import Settings
from model.errors import ConfigError


def test_defaults_listen_on_this_machine_only() -> None:
    settings = Settings.read([], {})
    assert (settings.host, settings.port) == ("127.0.0.1", 7860)
    assert settings.local
    assert settings == Settings()


def test_command_line_wins_over_environment_over_default() -> None:
    environment = {"DEIXIS_PORT": "8000", "DEIXIS_MAX_TEXT": "500", "GRADIO_SERVER_PORT": "9000"}
    settings = Settings.read(["--port", "8001"], environment)
    assert (settings.port, settings.max_text) == (8001, 500)
    assert Settings.read([], environment).port == 8000
    assert Settings.read([], {"GRADIO_SERVER_PORT": "9000"}).port == 9000


def test_every_field_can_be_set_from_the_environment() -> None:
    for item in fields(Settings):
        text = {"trusted_proxy": "yes", "mcp": "yes", "admin_token": "long enough secret"}.get(
            item.name, "12"
        )
        settings = Settings.read([], {f"DEIXIS_{item.name.upper()}": text})
        assert getattr(settings, item.name) != item.default
        assert item.metadata["help"]


def test_a_space_listens_everywhere_under_its_own_name() -> None:
    settings = Settings.read([], {"SPACE_ID": "me/deixis", "SPACE_HOST": "me-deixis.hf.space"})
    assert settings.host == "0.0.0.0"
    assert settings.trusted_proxy
    assert not settings.local
    assert "me-deixis.hf.space" in settings.hosts
    assert settings.frame_ancestors == ("https://huggingface.co",)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.1.7", False),
        ("example.org", False),
    ],
)
def test_local_means_a_loopback_address(host: str, local: bool) -> None:
    assert Settings(host=host).local is local
    assert host in Settings(host=host).hosts or host == "0.0.0.0"


def test_a_page_behind_a_proxy_is_not_local() -> None:
    assert not Settings(trusted_proxy=True).local


@pytest.mark.parametrize(
    "environment",
    [
        {"DEIXIS_PORT": "many"},
        {"DEIXIS_PORT": "70000"},
        {"DEIXIS_PORT": "-1"},
        {"DEIXIS_MAX_PIXELS": "0"},
        {"DEIXIS_MAX_SIDE_RATIO": "nan"},
        {"DEIXIS_TRUSTED_PROXY": "perhaps"},
        {"DEIXIS_ADMIN_TOKEN": "short"},
    ],
)
def test_impossible_values_are_refused_by_name(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"port|max_|MAX_|PORT|PROXY|token"):
        Settings.read([], environment)


def test_the_admin_token_is_neither_an_option_nor_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings.read([], {"DEIXIS_ADMIN_TOKEN": "a very secret word"})
    assert settings.admin_token == "a very secret word"
    assert "very secret" not in repr(settings)
    with pytest.raises(SystemExit):
        Settings.read(["--admin-token", "a very secret word"], {})
    assert "unrecognized arguments" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        Settings.read(["--help"], {})
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(
        f"--{item.name.replace('_', '-')}" in shown
        for item in fields(Settings)
        if item.name != "admin_token"
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
