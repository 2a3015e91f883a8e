"""`python -m model doctor` tells what runs here; `python -m model list` which models there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument("command", choices=["doctor", "list"])
    command = parser.parse_args(arguments).command
    from model.backends import doctor

    return doctor.report() if command == "doctor" else doctor.list_models()


if __name__ == "__main__":
    sys.exit(main())
