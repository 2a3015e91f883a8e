"""Fixtures of the backend tests: tiny checkpoints, built once a run, and no network."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.backends.loading import Source
from model.backends.published import PublishedBackend

Tiny = Callable[[str], Path]
Loaded = Callable[[str, type[PublishedBackend]], PublishedBackend]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Returns a function from a family's name to the folder of its tiny checkpoint."""
    from tests.model.backends.tiny import build

    root = tmp_path_factory.mktemp("tiny")
    return functools.cache(lambda kind: build(kind, root / kind))


@pytest.fixture(scope="session")
def loaded(tiny: Tiny) -> Loaded:
    """Returns a function that loads a tiny checkpoint once."""

    @functools.cache
    def load(kind: str, backend: type[PublishedBackend]) -> PublishedBackend:
        return backend.load(Source(kind, tiny(kind), licence="none"))

    return load


@pytest.fixture(scope="session", autouse=True)
def _quick_collections() -> Iterator[None]:
    """Sets aside what lives anyway: the tests of short memory collect garbage again and again."""
    import transformers.modeling_utils  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
