"""The Teach tab: data, training, before and after, checkpoints; for the owner of the page only."""

from app.teach.tab import Teach

__all__ = ["Teach"]
