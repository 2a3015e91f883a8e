from __future__ import annotations

import json
from pathlib import Path

from model import checkpoint
from model.training import release
from tests.model import tiny
from tests.oracle import write_records


def test_measuring_writes_numbers_beside_the_checkpoint_and_into_its_card(tmp_path: Path) -> None:
    folder, file = tmp_path / "tiny", write_records(tmp_path)
    checkpoint.save(tiny.build(), tiny.vocabulary(), folder)
    (folder / "README.md").write_text(f"# tiny\n{release.TABLE_START}\n{release.TABLE_END}\nend\n")
    metrics = release.measure(folder, file)
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    card = (folder / "README.md").read_text()
    assert "| detect, trunk alone | AP |" in card
    assert card.endswith("end\n")
    checkpoint.verify(folder)
