"""`python -m model.training VERB`: see `--help`."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from model.errors import DeixisError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code: 0 done, 1 refused, 3 stopped before the end."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DeixisError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _train(options: argparse.Namespace) -> int:
    from model.allocator import keep_freed_memory
    from model.training.setup import build_trainer, read_recipe

    keep_freed_memory()

    stopped = False

    def ask_to_stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    trainer = build_trainer(
        read_recipe(options.recipe),
        data=options.data,
        cache=options.cache,
        folder=options.run_folder,
        start=options.start,
        trunk=options.trunk,
    )
    done = trainer.run(seconds=options.minutes * 60, stop=lambda: stopped)
    if options.out is not None:
        trainer.export(options.out)
    return 0 if done else 3


def _calibrate(options: argparse.Namespace) -> int:
    from model.records import read_records
    from model.training.release import calibrate

    records = list(read_records(options.records, options.limit))
    trust, shift = calibrate(options.checkpoint, records)
    print(f"{options.checkpoint}: names corrected by {trust} and shifted by {shift}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from model.training.release import measure

    measure(options.checkpoint, options.records, options.limit)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.training")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    train = verbs.add_parser("train", help="train by a recipe; goes on where it was stopped")
    train.set_defaults(run=_train)
    train.add_argument("--recipe", default="deixis-tiny", help="name in model/configs, or a path")
    train.add_argument("--data", type=Path, required=True, help="folder of the record files")
    train.add_argument("--run-folder", type=Path, default=Path("runs/deixis-tiny"))
    train.add_argument("--cache", type=Path, default=Path("runs/features"))
    train.add_argument("--start", type=Path, help="checkpoint to go on from")
    train.add_argument("--trunk", type=Path, help="ONNX file with the weights of a new trunk")
    train.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    train.add_argument("--out", type=Path, help="write the averaged weights as this checkpoint")
    calibrate = verbs.add_parser("calibrate", help="choose the threshold on validation records")
    calibrate.set_defaults(run=_calibrate)
    evaluate = verbs.add_parser("evaluate", help="predict, score and write metrics.json")
    evaluate.set_defaults(run=_evaluate)
    for verb in (calibrate, evaluate):
        verb.add_argument("--limit", type=int, help="only the first so many records")
        verb.add_argument("--checkpoint", type=Path, required=True, help="folder to measure")
        verb.add_argument("--records", type=Path, required=True, help="validation JSONL")
    return parser


if __name__ == "__main__":
    sys.exit(main())
