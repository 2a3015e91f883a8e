"""A full disk is told in plain words, whoever met it first."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from model.errors import CheckpointError, DeixisError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def full_disk_told(remedy: str, kind: type[DeixisError] = CheckpointError) -> Iterator[None]:
    """Raises `kind` with the words "disk full" in place of what the system says.

    Args:
        remedy: what has become of the work, and what to do.
        kind: of the error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise kind(f"disk full: {remedy}.") from error
    except SafetensorError as error:
        # Its words are all that is left of the system's error.
        if not any(f"os error {number})" in str(error) for number in FULL):
            raise
        raise kind(f"disk full: {remedy}.") from error
