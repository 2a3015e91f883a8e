"""The picture with everything that can be drawn on it: one Gradio component without a build."""

from app.canvas.canvas import Canvas

__all__ = ["Canvas"]
