"""`make bench`: measures speed side by side, prints the table, keeps the raw numbers in docs/.

`make bench ARGS=gpu` measures published models at full size, with made-up weights, on a GPU;
`make bench ARGS=chat_while_training` measures answers beside a training job.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import torch

from tests.bench.contest import hold
from tests.bench.contests import contests
from tests.bench.start import cold_start

OUT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.json"
HEAD = "| what | against | ours | theirs | faster | target |\n|---|---|---|---|---|---|"


def main() -> None:
    """Holds every contest, prints as it goes and writes the raw seconds."""
    kept = []
    print(HEAD)
    for contest in contests():
        outcome = hold(contest)
        print(outcome.row(), flush=True)
        kept.append({"what": contest.what, "against": contest.against, "target": contest.target,
                     "ours": outcome.ours, "theirs": outcome.theirs})  # fmt: skip
    start = cold_start()
    print(
        f"\nCold start: page after {start.ready:.1f} s, first answer after {start.answered:.1f} s, "
        f"{start.peak:.0f} MB (targets: 15 s and 1,500 MB on 2 cores)"
    )
    machine = f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    cold = {"ready": start.ready, "answered": start.answered, "megabytes": start.peak}
    rows = {"machine": machine, "contests": kept, "cold_start": cold}
    OUT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=("page", "gpu", "chat_while_training"), default="page"
    )
    parser.add_argument("--device", default="cuda", help="where `gpu` runs: cuda, cuda:1 or cpu")
    asked = parser.parse_args()
    if asked.what == "gpu":
        from tests.bench import large

        large.main(asked.device)
    elif asked.what == "chat_while_training":
        from tests.bench import chat_while_training

        chat_while_training.main()
    else:
        main()
