"""The record of a picture flipped left to right: boxes, outlines, joints and words."""

from __future__ import annotations

from dataclasses import replace

from model.pose_head import MIRROR
from model.records import Record
from model.training import wording
from model.types import Box, Keypoints


def mirrored(record: Record) -> Record:
    """Returns the record of the picture flipped left to right; sides in its words change too."""

    def flip(box: Box) -> Box:
        return Box(1 - box.x1, box.y0, 1 - box.x0, box.y1)

    sided = {i for i, caption in enumerate(record.captions) if wording.mentions_side(caption)}
    return replace(
        record,
        objects=tuple(
            replace(
                thing,
                box=flip(thing.box),
                polygons=tuple(_flipped(outline) for outline in thing.polygons),
                keypoints=_mirrored_pose(thing.keypoints),
            )
            for thing in record.objects
        ),
        # The places of phrases would move with the words, so only the plain text is kept.
        captions=tuple(wording.swap_sides(caption) for caption in record.captions),
        grounded=tuple(phrase for phrase in record.grounded if phrase.caption not in sided),
        refs=tuple(replace(ref, text=wording.swap_sides(ref.text)) for ref in record.refs),
    )


def _flipped(outline: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(1 - value if i % 2 == 0 else value for i, value in enumerate(outline))


def _mirrored_pose(pose: Keypoints | None) -> Keypoints | None:
    if pose is None:
        return None
    swapped = (pose.points[joint] for joint in MIRROR)
    return Keypoints(tuple((1 - x if v > 0 else 0.0, y, v) for x, y, v in swapped))
