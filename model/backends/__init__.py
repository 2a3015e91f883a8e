"""Every model behind one door: our own, published checkpoints, and served ones.

Importing this is cheap; torch and transformers come with the first model that needs them.
"""

from model.backends.base import Backend, Card, EncodedPicture
from model.backends.catalogue import PUBLISHED
from model.backends.registry import is_published, open_backend

__all__ = ["PUBLISHED", "Backend", "Card", "EncodedPicture", "is_published", "open_backend"]
