"""Keeps freed memory for the next tensor instead of giving it back to the system each time.

Large tensors are allocated and freed all the time; by default glibc returns each to the system, and
on virtual machines the page faults that follow cost more than the arithmetic.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's mallopt, from malloc.h."""
MIB = 1 << 20


def keep_freed_memory() -> bool:
    """Tunes glibc for large tensors; returns whether that was possible (Linux with glibc only)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = ((M_MMAP_THRESHOLD, 32 * MIB), (M_TRIM_THRESHOLD, 1024 * MIB), (M_TOP_PAD, 64 * MIB))
    return all(mallopt(parameter, value) for parameter, value in settings)
