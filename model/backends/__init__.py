"""Every model behind one door: our own, published checkpoints, and served ones.

Importing this is cheap; torch and transformers come with the first model that needs them.
"""

from model.backends.base import Backend, Card, EncodedPicture
from model.backends.registry import PUBLISHED, open_backend

__all__ = ["PUBLISHED", "Backend", "Card", "EncodedPicture", "open_backend"]
