from __future__ import annotations

import pytest

from app.teach import training
from app.teach.training import advice


def test_every_machine_is_told_what_to_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert advice("cpu", "") == (15, "This machine trains on 2 CPU cores: 10 to 20 minutes teach a "
                                     "new class.")  # fmt: skip
    minutes, text = advice("cpu", "me/space")
    assert minutes < 15, "a CPU Space gets a small budget"
    assert "forgets what was trained" in text
    assert "has a GPU" in advice("cuda:0", "me/space")[1]
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    minutes, text = advice("cpu", "me/space")
    assert "spaces is missing" in text
    assert minutes == 5
    monkeypatch.setattr(training, "LENT", lambda *_: 0)
    assert "two minutes at a time" in advice("cuda", "me/space")[1]
