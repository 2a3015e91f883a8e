"""`python -m model.training VERB`: see `--help` and docs/training.md.

Standard output holds JSON lines only, the last one the exit code; words for people go to standard
error. Heavy libraries are imported by the verb that needs them, so that a typing mistake is told at
once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model.errors import DeixisError
from model.training.events import tell

DONE, REFUSED, STOPPED = 0, 1, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code: 0 done, 1 refused, 3 stopped before the end."""
    options = _parser().parse_args(arguments)
    message, code = {}, REFUSED
    try:
        code = int(options.run(options))
    except DeixisError as error:
        message = {"message": str(error)}
        print(f"error: {error}", file=sys.stderr)
    except BaseException as error:
        message = {"message": f"{type(error).__name__}: {error}"}
        raise
    finally:
        tell("end", exit_code=code, **message)
    return code


def _import(options: argparse.Namespace) -> int:
    from model.training.verbs import bring_in

    return bring_in(options)


def _train(options: argparse.Namespace) -> int:
    from model.training.verbs import follow_recipe, teach

    return teach(options) if options.recipe is None else follow_recipe(options)


def _calibrate(options: argparse.Namespace) -> int:
    from model.training.verbs import calibrate

    return calibrate(options)


def _evaluate(options: argparse.Namespace) -> int:
    from model.training.verbs import evaluate

    return evaluate(options)


def _compare(options: argparse.Namespace) -> int:
    from model.training.verbs import compare

    return compare(options)


def _ablate(options: argparse.Namespace) -> int:
    from model.training.verbs import ablate

    return ablate(options)


def _measure(options: argparse.Namespace) -> int:
    from model.training.verbs import measure

    return measure(options)


def _export(options: argparse.Namespace) -> int:
    from model.training.verbs import export

    return export(options)


def _merge(options: argparse.Namespace) -> int:
    from model.training.verbs import merge

    return merge(options)


def _blend(options: argparse.Namespace) -> int:
    from model.training.verbs import blend

    return blend(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.training")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: object, about: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    _add_import(verb("import", _import, "turn a foreign data set into a folder to train on"))
    _add_train(verb("train", _train, "teach a checkpoint a data set, or train by a recipe"))
    _add_measuring(
        verb("calibrate", _calibrate, "choose trust and threshold on validation records"),
        verb("evaluate", _evaluate, "predict and score"),
        verb("compare", _compare, "answer the same questions with two checkpoints"),
    )
    _add_studying(
        verb("ablate", _ablate, "train recipes that differ in one thing, and compare them"),
        verb("measure", _measure, "tell memory and speed of a recipe, with random weights"),
    )
    _add_giving(
        verb("export", _export, "write a folder that is ready to push"),
        verb("merge", _merge, "fold low-rank weights into the full ones"),
        verb("blend", _blend, "move weights a share of the way towards a relative's"),
    )
    return parser


def _add_import(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", type=Path, help="folder, ZIP archive or annotation file")
    verb.add_argument("--out", type=Path, required=True, help="the new folder")
    verb.add_argument("--format", default="auto", help="how to read it; auto looks at the files")
    verb.add_argument("--val-share", type=float, default=0.2, help="of the pictures, to judge by")
    verb.add_argument("--seed", type=int, default=0, help="of the split")


def _add_train(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--data", type=Path, required=True, help="data set; folder of record files")
    begin = verb.add_mutually_exclusive_group()
    begin.add_argument("--start", help="checkpoint of our own to begin with")
    begin.add_argument("--model", help="published checkpoint to begin with: short name, id, folder")
    verb.add_argument("--run-folder", type=Path, help="state and log; of a recipe runs/NAME")
    verb.add_argument("--out", type=Path, help="checkpoint to write")
    verb.add_argument("--minutes", type=float, help="time budget; of a recipe: stop after so long")
    new = verb.add_argument_group("teaching a data set")
    new.add_argument("--mode", choices=("auto", "full", "lora", "decoders"), help="what learns")
    new.add_argument("--epochs", type=float, help="visits to each picture, instead of minutes")
    new.add_argument("--replay", type=Path, help="earlier data, against forgetting")
    new.add_argument("--resume", action="store_true", help="refuse to begin anew")
    new.add_argument("--accept-refused", action="store_true", help="train on the valid rows only")
    new.add_argument("--config", type=Path, help="JSON file of settings")
    new.add_argument("--set", action="append", default=[], help="KEY=VALUE,... settings by hand")
    old = verb.add_argument_group("training by a recipe")
    old.add_argument("--recipe", help="name in model/configs, or a path")
    old.add_argument("--cache", type=Path, default=Path("runs/features"), help="frozen features")
    old.add_argument("--trunk", type=Path, help="weights of a new trunk: ONNX file, checkpoint")


def _add_measuring(
    calibrate: argparse.ArgumentParser,
    evaluate: argparse.ArgumentParser,
    compare: argparse.ArgumentParser,
) -> None:
    for verb in (calibrate, evaluate):
        verb.add_argument("--checkpoint", required=True, help="folder or name")
    for verb in (calibrate, evaluate, compare):
        verb.add_argument("--limit", type=int, help="only the first so many records")
    calibrate.add_argument("--records", type=Path, required=True, help="validation JSONL")
    where = evaluate.add_mutually_exclusive_group(required=True)
    where.add_argument("--records", type=Path, help="validation JSONL; writes metrics.json")
    where.add_argument("--data", type=Path, help="data set that was imported")
    compare.add_argument("--before", required=True, help="checkpoint")
    compare.add_argument("--after", required=True, help="checkpoint")
    compare.add_argument("--data", type=Path, required=True, help="data set that was imported")
    compare.add_argument("--general", type=Path, help="earlier data: records, or a data set")
    compare.add_argument("--out", type=Path, required=True, help="folder for board.json")
    for verb in (evaluate, compare):
        verb.add_argument("--split", choices=("train", "val", "test"), help="test if there is one")
    evaluate.add_argument("--out", type=Path, help="JSON file for the measures")


def _add_studying(ablate: argparse.ArgumentParser, measure: argparse.ArgumentParser) -> None:
    for verb in (ablate, measure):
        verb.add_argument("--recipe", required=True, help="name in model/configs, or a path")
        verb.add_argument("--batch", type=int, default=0, help="pictures a step, if not its own")
    ablate.add_argument("--data", type=Path, required=True, help="folder of record files")
    ablate.add_argument("--records", type=Path, required=True, help="validation JSONL")
    ablate.add_argument("--limit", type=int, help="only the first so many of them")
    ablate.add_argument("--studies", default="all", help="NAME,NAME,... of what is compared")
    ablate.add_argument("--steps", type=int, default=150, help="of every row")
    ablate.add_argument("--out", type=Path, default=Path("runs/ablations"), help="runs and table")
    ablate.add_argument("--cache", type=Path, default=Path("runs/features"), help="features")
    ablate.add_argument("--trunk", type=Path, help="weights of the trunk: ONNX file, checkpoint")
    measure.add_argument("--steps", type=int, default=5, help="that are timed")
    measure.add_argument("--peak", type=float, help="TFLOP/s of this machine, for the MFU")
    measure.add_argument("--out", type=Path, default=Path("runs/speed"), help="folder to write in")


def _add_giving(
    export: argparse.ArgumentParser, merge: argparse.ArgumentParser, blend: argparse.ArgumentParser
) -> None:
    export.add_argument("checkpoint", help="folder or name")
    export.add_argument("--archive", action="store_true", help="also as one file, FOLDER.zip")
    export.add_argument("--repository", help="OWNER/NAME to push to; needs HF_TOKEN")
    merge.add_argument("--start", required=True, help="checkpoint that the adapter belongs to")
    merge.add_argument("--adapter", type=Path, required=True, help="folder RUN/adapter")
    blend.add_argument("--checkpoint", required=True, help="whose weights are moved")
    blend.add_argument("--towards", required=True, help="what it was trained from, or a sibling")
    blend.add_argument("--share", type=float, required=True, help="of the way, 0 to 1")
    for verb in (export, merge, blend):
        verb.add_argument("--out", type=Path, required=True, help="folder to write")


if __name__ == "__main__":
    sys.exit(main())
