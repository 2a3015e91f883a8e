"""README.md's tree and the disk: `make tree` writes the one from the other, a test compares them.

The rooms, app/ and model/, have a line for every file; everywhere else a folder is enough. Words
that a person wrote stay; a new file starts with the first sentence that it says about itself.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
ROOMS = ("app", "model")
FIRST = ("app.py", "app/", "model/", "assets/", "checkpoints/", "tests/", "docs/")
BLOCK = re.compile(r"(?<=<!-- tree -->\n```text\n).*?(?=```)", re.DOTALL)
COLUMN, WIDTH = 30, 72


def files() -> list[Path]:
    """Returns the project's files, relative to the root, also those not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return sorted({Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()})


def on_disk() -> set[str]:
    """Returns the paths that the tree has a line for; folders end in a slash."""
    found: set[str] = set()
    for path in files():
        parts = path.parts
        if parts[0].startswith("."):
            continue
        in_room = parts[0] in ROOMS
        depth = len(parts) if in_room else min(len(parts), 3)
        found.update("/".join(parts[:n]) + "/" for n in range(1, depth))
        if len(parts) == 1 or (in_room and path.name != "__init__.py"):
            found.add(path.as_posix())
    return found


def in_readme() -> dict[str, str]:
    """Returns path → words of every line of the tree; two spaces of indent a level."""
    block = BLOCK.search(README.read_text("utf-8"))
    if block is None:
        raise ValueError("README.md has no ```text block below <!-- tree -->")
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block[0].splitlines():
        name, _, words = line.strip().partition(" ")
        folders = folders[: (len(line) - len(line.lstrip())) // 2]
        found["".join([*folders, name])] = words.strip()
        if name.endswith("/"):
            folders.append(name)
    return found


def own_words(path: str) -> str:
    """Returns the beginning of the first sentence that a file or package says about itself."""
    file = ROOT / path / "__init__.py" if path.endswith("/") else ROOT / path
    if not file.exists():
        return ""
    text = file.read_text("utf-8", errors="replace")
    if file.suffix == ".py":
        sentence = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    else:
        comment = re.match(r"\s*(?:/\*+|//|<!--)\s*(.*?)\s*(?:\*/|-->|\n)", text)
        sentence = comment[1] if comment else ""
    sentence = re.split(r"\.(?:\s|$)", sentence)[0]
    for stop in (r"[:;]\s", r",\s"):
        if len(sentence) > WIDTH:
            sentence = max(
                (sentence[: cut.start()] for cut in re.finditer(stop, sentence[:WIDTH])),
                key=len,
                default=sentence,
            )
    return sentence


def order(path: str) -> tuple[int, str]:
    """Returns the key that sorts rooms first and a folder's content below it."""
    top = next((name for name in FIRST if path.startswith(name)), None)
    return (FIRST.index(top) if top else len(FIRST)), path


def write() -> None:
    """Rewrites the tree from the disk, keeping the words that are there."""
    words = in_readme()
    lines: list[str] = []
    for path in sorted(on_disk(), key=order):
        depth = path.rstrip("/").count("/")
        name = path.split("/")[depth] + ("/" if path.endswith("/") else "")
        says = words.get(path) or own_words(path)
        lines.append(f"{'  ' * depth + name:{COLUMN}} {says}".rstrip() + "\n")
    README.write_text(BLOCK.sub(lambda _: "".join(lines), README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write()
    for nameless in [path for path, words in in_readme().items() if not words]:
        print(f"README.md: {nameless} has no words yet")
