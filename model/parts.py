"""Published parts: what transformers needs to know to build one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from model.config import Part
from model.errors import ConfigError


def settings_of(part: Part, ours: Mapping[str, Any] | None = None) -> PreTrainedConfig:
    """Returns transformers' configuration of a part.

    Args:
        part: whose configuration says its `model_type`.
        ours: values that are laid over it.

    Raises:
        ConfigError: the kind of part is unknown, or a value cannot be.
    """
    values = {**part.config, **(ours or {})}
    try:
        return AutoConfig.for_model(str(values.pop("model_type")), **values)
    except Exception as error:  # transformers checks values with errors of many kinds.
        raise ConfigError(f"The configuration of {part.name!r} cannot be used: {error}") from error
