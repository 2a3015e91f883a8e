"""A command that behaves like `python -m model.training`, without learning anything.

It follows docs/training.md: verbs, options, JSON lines, exit codes, files. `--minutes` decides what
a training does: 1 ends well, 2 goes on until it is stopped, 3 crashes, 4 is refused.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from model import checkpoint

PAUSE = 0.02
CLASS = "<b>cup</b><img src=x onerror=window.canary=1>"
STOPPED = False


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def fake_checkpoint(folder: Path, name: str) -> None:
    """Writes a folder that counts as a complete checkpoint."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"name": name}))
    (folder / "model.safetensors").write_bytes(b"no weights")
    checkpoint.sign(folder)


def import_(options: argparse.Namespace) -> int:
    source, out = Path(options.source), Path(options.out)
    if out.exists():
        print(f"error: {out} exists already; choose another folder.", file=sys.stderr)
        say("end", exit_code=1, message=f"{out} exists already.")
        return 1
    if source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            archive.extractall(out.with_name(f".{out.name}"))
        source = out.with_name(f".{out.name}")
    pictures = sorted([*source.rglob("*.jpg"), *source.rglob("*.png")])
    if not pictures:
        print("error: no known format was found among the files.", file=sys.stderr)
        say("end", exit_code=1, message="No known format was found among the files.")
        return 1
    (out / "pictures").mkdir(parents=True)
    shown = []
    for number, path in enumerate(pictures, 1):
        name = f"pictures/{number:06d}.jpg"
        with Image.open(path) as file:
            picture = file.convert("RGB")
        picture.save(out / name)
        side = max(picture.size)
        canvas = [0.0, 0.0, picture.width / side, picture.height / side]
        boxes = [{"label": CLASS, "crowd": False, "box": [0.2, 0.2, 0.7, 0.8]}]
        shown.append(
            {"id": f"{number}", "image": name, "width": picture.width, "height": picture.height,
             "split": "train" if number > 1 else "val", "canvas": canvas, "captions": [],
             "boxes": boxes}
        )  # fmt: skip
        say("progress", done=number, total=len(pictures))
    bad = [{"file": "a<i>b.json", "row": "row 3", "reason": "NaN is no width"}]
    refused = bad if "refused" in out.name else []
    report = {
        "name": out.name, "format": "coco",
        "pictures": {"train": len(pictures) - 1, "val": 1},
        "counts": {"boxes": len(pictures), "captions": 0},
        "classes": [{"name": CLASS, "boxes": len(pictures), "pictures": len(pictures),
                     "boxes_by_split": {"train": len(pictures) - 1, "val": 1}}],
        "num_classes": 1, "duplicates": 1, "left_out": 0, "refused": refused,
        "num_refused": len(refused), "num_lost": 0, "notes": ["2 pictures have no annotations."],
        "round_trip_px": 2.5 if "shifted" in out.name else 0.25,
        "needs_consent": bool(refused), "usable": "shifted" not in out.name,
    }  # fmt: skip
    sheet = {"round_trip_px": 0.25, "canvas_side": 416, "pictures": shown[:12]}
    (out / "contact_sheet.json").write_text(json.dumps(sheet))
    (out / "report.json").write_text(json.dumps(report))
    say("report", folder=str(out), report=report)
    return 0


def train(options: argparse.Namespace) -> int:
    run, out, minutes = Path(options.run_folder), Path(options.out), float(options.minutes)
    (run / "samples").mkdir(parents=True, exist_ok=True)
    if minutes == 4:
        print("error: the loss is not a number; lower the rate.", file=sys.stderr)
        say("end", exit_code=1, message="The loss is not a number; lower the rate.")
        return 1
    say("plan", settings={"mode": options.mode}, steps=200, minutes=minutes,
        reasons=["Few pictures, so only the decoders learn."])  # fmt: skip
    steps = 10_000_000 if minutes == 2 else 200
    for step in range(10, steps + 1, 10):
        if STOPPED:
            fake_checkpoint(out, out.name)
            say("saved", step=step, path=str(run / "state"), what="state")
            return 3
        time.sleep(PAUSE)
        say("step", step=step, steps=steps, loss=5.0 / step, parts={}, rate=1e-4,
            eta=(steps - step) / 100, seconds=step / 100)  # fmt: skip
        if minutes == 3 and step == 60:
            print("Traceback: <script>out of memory</script>", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if step % 50 == 0:
            evaluate(options, step)
    if not out.exists():
        fake_checkpoint(out, out.name)
    say("saved", step=steps, path=str(out), what="checkpoint")
    return 0


def evaluate(options: argparse.Namespace, step: int) -> None:
    sheet = json.loads((Path(options.data) / "contact_sheet.json").read_text())
    pictures = [
        {**{key: item[key] for key in ("id", "image", "width", "height")},
         "truth": [{"label": b["label"], "box": b["box"]} for b in item["boxes"]],
         "prediction": [{"label": b["label"], "box": [0.25, 0.2, 0.7, 0.75], "score": 0.61}
                        for b in item["boxes"]]}
        for item in sheet["pictures"]
    ]  # fmt: skip
    path = Path(options.run_folder) / "samples" / f"{step}.json"
    path.write_text(json.dumps({"step": step, "threshold": 0.3, "pictures": pictures}))
    value = min(0.9, step / 250)
    measures = {
        "AP": {"value": value / 2, "low": value / 3, "high": value, "count": 9},
        "AP50": {"value": value, "low": value - 0.05, "high": value + 0.05, "count": 9},
    }
    if not (path.parent.parent / "best").exists():
        fake_checkpoint(path.parent.parent / "best", "best")
    say("eval", step=step, measures=measures, samples=str(path), best=True)


def compare(options: argparse.Namespace) -> int:
    out, after = Path(options.out), Path(options.after)
    if not (after / "config.json").is_file():
        print(f"error: there is no checkpoint {after}.", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    sheet = json.loads((Path(options.data) / "contact_sheet.json").read_text())
    pictures = []
    for number, item in enumerate(sheet["pictures"]):
        say("progress", done=number + 1, total=len(sheet["pictures"]))
        truth = [{"label": b["label"], "box": b["box"]} for b in item["boxes"]]
        found = [{**thing, "score": 0.8} for thing in truth]
        pictures.append(
            {**{key: item[key] for key in ("id", "image", "width", "height")}, "truth": truth,
             "before": [] if number else found, "after": found if number else [],
             "before_f1": 0.0 if number else 1.0, "after_f1": 1.0 if number else 0.0,
             "change": 1.0 if number else -1.0}
        )  # fmt: skip
    low = {"value": 0.1, "low": 0.05, "high": 0.2, "count": 9}
    high = {"value": 0.8, "low": 0.7, "high": 0.9, "count": 9}
    board = {
        "before": Path(options.before).name, "after": after.name, "data": options.data,
        "split": "val", "records": len(pictures),
        "measures": [{"name": "AP50", "task": "detect", "before": low, "after": high},
                     {"name": "AP", "task": "detect", "before": low, "after": low}],
        "pictures": pictures,
    }  # fmt: skip
    if options.general:
        board["general"] = [{"name": "AP", "task": "detect", "before": high, "after": low}]
        board |= {"general_data": options.general, "general_records": 8}
    (out / "board.json").write_text(json.dumps(board))
    say("board", path=str(out / "board.json"), measures=board["measures"])
    return 0


def export(options: argparse.Namespace) -> int:
    out, checkpoint = Path(options.out), Path(options.checkpoint)
    out.mkdir(parents=True)
    with zipfile.ZipFile(out.with_name(f"{out.name}.zip"), "w") as archive:
        for path in checkpoint.iterdir():
            archive.write(path, f"{out.name}/{path.name}")
    say("saved", path=str(out), what="checkpoint")
    if options.repository:
        if "/" not in options.repository:
            say("end", exit_code=1, message=f"{options.repository!r} is no OWNER/NAME.")
            return 1
        say("note", text=f"Pushed to https://hub.example/{options.repository}.")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, dest="verb")
    for verb, run, names in (
        ("import", import_, ("out",)),
        ("train", train, ("data", "out", "run-folder", "start", "mode", "minutes", "replay")),
        ("compare", compare, ("before", "after", "data", "out", "general", "limit")),
        ("export", export, ("out", "repository")),
    ):
        known = verbs.add_parser(verb, allow_abbrev=False)
        known.set_defaults(run=run)
        for name in names:
            known.add_argument(f"--{name}")
        if verb == "import":
            known.add_argument("source")
        if verb == "export":
            known.add_argument("checkpoint")
            known.add_argument("--archive", action="store_true")
        if verb == "train":
            known.add_argument("--accept-refused", action="store_true")
    options = parser.parse_args()

    def stop(*_: object) -> None:
        global STOPPED
        STOPPED = True

    signal.signal(signal.SIGTERM, stop)
    code = options.run(options)
    if code != 1:
        say("end", exit_code=code)
    return code


if __name__ == "__main__":
    sys.exit(main())
