"""The doctor: what it makes of versions, and that its commands run."""

from __future__ import annotations

import pytest

from model.__main__ import main
from model.backends.catalogue import PUBLISHED
from model.backends.doctor import Level, torchvision


def test_no_torchvision_is_fine() -> None:
    assert torchvision("2.13.0+cpu", None, lambda name: None).level is Level.OK


def test_a_torchvision_that_does_not_fit_is_explained() -> None:
    finding = torchvision(
        "2.13.0+cpu", "0.28.0", lambda name: "operator torchvision::nms does not exist"
    )
    assert finding.level is Level.PROBLEM
    assert "2.13.0+cpu" in finding.found
    assert "nms" in finding.found
    assert "pip uninstall torchvision" in str(finding)


def test_a_working_torchvision_is_left_alone() -> None:
    assert torchvision("2.13.0", "0.28.0", lambda name: None).level is Level.OK


def test_a_cpu_needs_twice_the_memory() -> None:
    qwen = PUBLISHED["qwen3-vl-8b"]
    assert qwen.need("cpu") == 2 * qwen.need("cuda")


def test_the_doctor_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for word in ("torch", "torchvision", "cuda", "memory", "qwen3-vl-8b", "0 problems"):
        assert word in told


def test_the_list_names_every_published_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in PUBLISHED)
    assert "segment" in told
