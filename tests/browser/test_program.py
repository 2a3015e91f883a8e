"""Programs call what the page offers, as README shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import Visits

ROOT = Path(__file__).parents[2]


def test_the_example_of_the_readme_runs(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter = (ROOT / "README.md").read_text("utf-8").split("## From a program")[1]
    found = re.search(r"```python\n(.*?)```", chapter, re.DOTALL)
    assert found
    script = found[1].replace("http://127.0.0.1:7860", site)
    assert site in script
    monkeypatch.chdir(ROOT)
    exec(compile(script, "README.md", "exec"), {})
    *loaded, bus, same, answer, drawn = capsys.readouterr().out.splitlines()
    assert all("Loaded as API" in line for line in loaded)
    assert re.fullmatch(r"bus 0\.90 at \[64\.0, 48\.0, 192\.0, 134\.4\] of 640 pixels", bus)
    assert same.startswith("bus 0.50")
    assert re.fullmatch(r"@1 is a dog\. True \d+ ms", answer)
    with Image.open(drawn) as picture:
        assert picture.format == "JPEG"


@pytest.mark.browser
def test_the_foot_of_the_page_lists_the_calls_and_says_what_they_do(visit: Visits) -> None:
    me = visit()
    me.page.click("footer .show-api")
    told = me.see(".api-docs").inner_text()
    for call in ("/ask", "/detect", "/caption", "/describe_region", "/segment", "/pose", "/draw"):
        assert call in told
    assert "Answers a question" in told
