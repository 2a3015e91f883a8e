"""House rules that no tool checks."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from tests.readme_tree import README, ROOMS, ROOT, files, in_readme, on_disk

CODE = {".py", ".js", ".css", ".html"}
SHARD_BYTES = 10_000_000
"""A Space refuses larger plain files."""

git_checkout = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout"
)


def code(*rooms: str) -> list[Path]:
    """Returns the Python files of some rooms."""
    return [path for path in files() if path.suffix == ".py" and path.parts[0] in rooms]


def calls(tree: ast.AST) -> set[str]:
    """Returns dotted names called, and keywords that are given as `True`, in a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
            found |= {
                f"{word.arg}=True"
                for word in node.keywords
                if isinstance(word.value, ast.Constant) and word.value.value is True
            }
    return found


def imports(tree: ast.AST) -> set[str]:
    """Returns the top names of all packages a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@git_checkout
def test_the_readme_tree_is_the_disk() -> None:
    tree, disk = in_readme(), on_disk()
    assert sorted(disk - tree.keys()) == [], "missing in README.md; `make tree` adds them"
    assert sorted(tree.keys() - disk) == [], "in README.md, but not on disk"
    assert [path for path, words in tree.items() if not words] == [], "lines without words"


@git_checkout
@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("model", {"gradio", "supervision", "fastapi", "app", "pickle"}),
        ("app", {"torch", "transformers", "peft", "accelerate", "pickle"}),
    ],
)
def test_a_room_imports_nothing_of_the_other_world(room: str, forbidden: set[str]) -> None:
    found = {path: imports(ast.parse((ROOT / path).read_text("utf-8"))) for path in code(room)}
    assert found, f"no code in {room}/"
    assert {
        str(path): names & forbidden for path, names in found.items() if names & forbidden
    } == {}


@git_checkout
def test_nothing_loads_pickles_or_runs_foreign_code() -> None:
    forbidden = {"torch.load", "eval", "exec", "os.system", "shell=True", "trust_remote_code=True"}
    found = {
        str(path): calls(ast.parse((ROOT / path).read_text("utf-8"))) & forbidden
        for path in code(*ROOMS)
    }
    assert {path: names for path, names in found.items() if names} == {}


@git_checkout
def test_long_files_give_a_reason() -> None:
    long = []
    for path in files():
        if path.suffix in CODE and path.parts[0] in ROOMS:
            lines = (ROOT / path).read_text("utf-8").splitlines()
            if len(lines) > 300 and not any(
                "over 300 lines" in line.lower() for line in lines[:10]
            ):
                long.append(f"{path}: {len(lines)}")
    assert long == [], "split, or say 'Over 300 lines: <reason>' in the first ten lines"


@git_checkout
def test_names_say_something() -> None:
    vague = {"utils", "util", "misc", "common", "helper", "helpers", "manager", "data", "info"}
    assert [str(path) for path in code(*ROOMS, "tests") if path.stem in vague] == []


@git_checkout
def test_test_folders_shadow_no_package() -> None:
    # tests/app/__init__.py would shadow the page's own package; so would tests/__init__.py.
    packages = [path.parent for path in code("tests") if path.name == "__init__.py"]
    assert [str(path) for path in packages if path.name in (*ROOMS, "tests")] == []


@git_checkout
def test_tests_mirror_the_source() -> None:
    orphans = []
    for path in code("tests"):
        if path.parts[1] in ROOMS and path.name.startswith("test_"):
            source = ROOT.joinpath(*path.parts[1:-1], path.name.removeprefix("test_"))
            mirrors = source.exists() or source.with_suffix("").is_dir()
            says_what = ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8")))
            if not source.parent.is_dir() or not (mirrors or says_what):
                orphans.append(str(path))
    assert orphans == [], (
        "tests/model/test_boxes.py tests model/boxes.py; others say what they test"
    )


@git_checkout
def test_the_project_names_no_private_place() -> None:
    # Put together here so that this file does not name them either.
    folders = rf"(?<![\w.])/(?:{'|'.join(('wo' + 'rk', 'fa' + 'rm', 'ro' + 'ot'))})/"
    hosts = "|".join((r"py" + r"pi\.org", "python" + "hosted", "npm" + "js", r"deb\.debian"))
    pattern = re.compile(f"{folders}|{hosts}")
    found = []
    for path in files():
        try:
            text = (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


@git_checkout
def test_no_file_is_too_large_for_a_space() -> None:
    sizes = {str(path): (ROOT / path).stat().st_size for path in files()}
    assert {path: size for path, size in sizes.items() if size >= SHARD_BYTES} == {}


def test_the_front_matter_agrees_with_the_requirements() -> None:
    front = README.read_text("utf-8").split("---\n")[1]
    values = dict(line.split(": ", 1) for line in front.splitlines() if ": " in line)
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [
        Requirement(line.partition("#")[0]) for line in lines if line and not line.startswith("#")
    ]
    pins = {requirement.name: str(requirement.specifier) for requirement in wanted}
    assert pins["gradio"] == f"=={values['sdk_version']}"
    assert (ROOT / values["app_file"]).is_file()
    assert len(values["short_description"]) <= 60


def test_every_sample_is_whole_and_credited() -> None:
    samples = json.loads((ROOT / "assets/samples.json").read_text("utf-8"))
    credit = (ROOT / "assets/CREDITS.md").read_text("utf-8")
    listed = {sample["file"] for sample in samples}
    assert 6 <= len(samples) <= 8
    assert listed == {path.name for path in (ROOT / "assets/samples").iterdir()}
    for sample in samples:
        with Image.open(ROOT / "assets/samples" / sample["file"]) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) == 640
        assert re.search(rf"`samples/{sample['file']}`.*flickr.*CC BY", credit)
        assert len(sample["questions"]) == 3
        assert len(sample["alt"]) > len(sample["title"]) > 0
        assert all(0 < side < 1 for side in sample["point"])
