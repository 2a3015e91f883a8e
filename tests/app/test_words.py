"""The texts on screen: what counts has two forms, and no module has refusals of its own."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

from app import words

APP = Path(words.__file__).parent
STARTING = {APP / "settings.py", APP / "server.py", APP / "canvas" / "component.py"}
"""What these refuse is read by whoever starts or writes the page, not by who visits it."""


def texts(value: object) -> Iterator[str]:
    """Yields every text in a value of words.py."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts(tuple(value.values()))
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)


def forms(value: object) -> Iterator[words.Forms]:
    """Yields every pair of texts that count."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        if len(value) == 2 and all(isinstance(item, str) and "{count}" in item for item in value):
            yield value
        for item in value:
            yield from forms(item)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


WORDS = {name: value for name, value in vars(words).items() if name.isupper()}


def test_one_is_one_and_many_are_many() -> None:
    assert words.counted(words.PICTURES, 1) == "1 picture"
    assert words.counted(words.PICTURES, 0) == "0 pictures"
    assert words.counted(words.PICTURES, 12_345) == "12,345 pictures"
    assert words.counted(words.PICTURES, "?") == "? pictures"
    assert words.counted(words.DATA_CHOICE, 1, name="{count} cups") == "{count} cups · 1 picture"


def test_both_forms_say_the_same() -> None:
    found = list(forms(WORDS))
    assert len(found) > 15
    for one, many in found:
        assert one != many
        assert fields(one) == fields(many)


def test_what_counts_has_two_forms() -> None:
    """A count beyond a limit is never one; any other noun after a count needs both forms."""
    paired = {text for pair in forms(WORDS) for text in pair}
    single = [text for text in texts(WORDS) if text not in paired and "{limit}" not in text]
    assert [text for text in single if re.search(r"\{(count|length)[^}]*\} [a-z]+s\b", text)] == []


def refusals(path: Path) -> Iterator[str]:
    """Yields what a module raises or answers in words of its own."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        called = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(called, ast.Call):
            continue
        name = ast.unparse(called.func)
        if isinstance(node, ast.Raise) or name in ("refuse", "said", "View"):
            given = [*called.args, *(item.value for item in called.keywords)]
            for argument in given:
                literal = isinstance(argument, ast.JoinedStr | ast.Constant)
                if literal and re.search(r"[a-z] [a-z]", ast.unparse(argument)):
                    yield f"{path.name}:{node.lineno}: {ast.unparse(argument)}"


def test_no_module_refuses_in_words_of_its_own() -> None:
    modules = [path for path in APP.rglob("*.py") if path not in STARTING]
    assert len(modules) > 50
    assert [line for path in modules for line in refusals(path)] == []


def test_a_refusal_with_words_of_its_own_is_found(tmp_path: Path) -> None:
    module = tmp_path / "bad.py"
    module.write_text("raise InputError(f'{name} is not there.')\nraise InputError(words.GONE)\n")
    assert len(list(refusals(module))) == 1


def test_every_text_is_used() -> None:
    code = "\n".join(path.read_text("utf-8") for path in APP.rglob("*.py"))
    unused = [name for name in WORDS if len(re.findall(rf"\b{name}\b", code)) < 2]
    assert unused == []
