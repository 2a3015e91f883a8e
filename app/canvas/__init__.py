"""What is drawn and written on a picture: Gradio components without a build."""

from app.canvas.canvas import Canvas
from app.canvas.component import Component
from app.canvas.editor import CaptionEditor, Shelf

__all__ = ["Canvas", "CaptionEditor", "Component", "Shelf"]
