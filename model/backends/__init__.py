"""Every model behind one door: our own, published checkpoints, and served ones.

Importing this is cheap; torch and transformers come with the first model that needs them.
"""

from model.backends.base import Backend, Card, EncodedPicture
from model.backends.catalogue import PUBLISHED
from model.backends.cost import measure
from model.backends.memory import free_bytes
from model.backends.registry import is_published, open_backend

__all__ = [
    "PUBLISHED",
    "Backend",
    "Card",
    "EncodedPicture",
    "free_bytes",
    "is_published",
    "measure",
    "open_backend",
]
