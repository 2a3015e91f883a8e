"""A data set of two kinds of squares, a tiny checkpoint, and runs that take a blink."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from model import checkpoint
from model.training.config import FineTuneConfig, Stage
from model.training.course import Course
from model.training.finetune import FineTune
from model.training.importers import import_dataset
from model.training.lessons import LessonConfig
from model.training.order import Order
from model.vlm import DeixisModel
from tests.model import tiny

NAMES = ("red square", "blue square")
FEW_WORDS = LessonConfig(0, 0, 0, 1, 1, 1, 0, 4, 0, 0, 0)
QUICK = FineTuneConfig(
    mode="full",
    steps=4,
    batch=2,
    precision="no",
    evaluations=1,
    val_pictures=2,
    save_every=100,
    words_share=0.5,
    lora_rank=2,
    lessons=FEW_WORDS,
)


def coco_squares(folder: Path, count: int = 8, seed: int = 0) -> Path:
    """Writes pictures with up to two squares, as COCO JSON."""
    chance = random.Random(seed)
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        width, height = chance.choice([(96, 64), (64, 64), (64, 80)])
        picture = Image.new("RGB", (width, height), (140, 150, 140))
        for category, colour in enumerate(("red", "blue"), 1):
            if number % 4 == category:
                continue  # Now and then one kind is absent.
            side = chance.randint(16, 28)
            x = chance.randint(0, width // 2 - side) + (category - 1) * (width // 2)
            y = chance.randint(0, height - side)
            ImageDraw.Draw(picture).rectangle([x, y, x + side - 1, y + side - 1], fill=colour)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": category,
                    "bbox": [x, y, side, side],
                }
            )
        name = f"{number:03d}.png"
        picture.save(folder / name)
        images.append({"id": number + 1, "file_name": name, "width": width, "height": height})
    categories = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    value = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "squares.json").write_text(json.dumps(value))
    return folder


def dataset(folder: Path, count: int = 8) -> Path:
    """Returns an imported data set of squares."""
    import_dataset(coco_squares(folder / "coco", count), folder / "squares", val_share=0.25)
    return folder / "squares"


def start(folder: Path) -> Path:
    """Returns a tiny untrained checkpoint."""
    checkpoint.save(tiny.build(), tiny.vocabulary(), folder / "start")
    return folder / "start"


def order(folder: Path, config: FineTuneConfig = QUICK, run: str = "run") -> Order:
    """Returns an order for a run in a folder that holds `squares` and `start`."""
    out = folder / f"{run}-out"
    return Order(folder / "squares", folder / "start", folder / run, out, config)


def finetune(folder: Path, run: str = "run", **settings: object) -> FineTune:
    """Returns a run with some settings of its own."""
    return FineTune(order(folder, replace(QUICK, **settings), run))  # type: ignore[arg-type]


def loss_of_two(
    model: DeixisModel, course: Course, stage: Stage, seed: int
) -> tuple[Tensor, dict[str, float]]:
    """Returns the loss of two pictures that a course draws, and its parts."""
    return course.loss(model, course.draw(stage, random.Random(seed), 2))
