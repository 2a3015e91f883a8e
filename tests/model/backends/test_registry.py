"""Opening by name: aliases, folders, served models, several at once, and clear refusals."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from model.backends import registry
from model.backends.catalogue import FAMILIES, PUBLISHED, adapter
from model.backends.composed import MaskedBackend, RetrievalBackend
from model.backends.florence2 import Florence2Backend
from model.backends.registry import is_published, open_backend, pick_device
from model.errors import BackendError, CheckpointError
from model.types import Answer
from tests.model.backends.conftest import Tiny
from tests.model.backends.tiny import picture


def test_importing_the_door_is_cheap() -> None:
    code = (
        "import sys, model.backends, model.backends.catalogue as r; "
        "[r.adapter(kind) for kind in r.FAMILIES]; "
        "print([m for m in ('torch', 'transformers', 'httpx') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_family_has_an_adapter_and_every_alias_a_family() -> None:
    for kind in FAMILIES:
        assert adapter(kind).capabilities()
    for published in PUBLISHED.values():
        assert published.model_type in FAMILIES


def test_a_folder_opens_with_its_adapter_and_tells_what_it_does(tiny: Tiny) -> None:
    told: list[str] = []
    folder = tiny("florence2")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    backend = open_backend(str(folder), "cpu", progress=told.append)
    assert isinstance(backend, Florence2Backend)
    assert backend.card.licence == "mit"
    assert backend.card.parameters > 0
    assert [message.split()[0] for message in told] == ["Checking", "Loading", "florence2"]
    assert str(folder) not in str(backend.card)
    backend.close()
    assert backend.model is None


def test_several_models_open_together(tiny: Tiny) -> None:
    names = [str(tiny(kind)) for kind in ("florence2", "grounding_dino", "sam")]
    backend = open_backend("+".join(names), "cpu")
    assert isinstance(backend, MaskedBackend)
    assert isinstance(backend.first, RetrievalBackend)
    answer = backend.answer(picture(), "Where is the cat?", threshold=0.0)
    assert isinstance(answer, Answer)


def test_models_that_do_not_go_together_are_refused(tiny: Tiny) -> None:
    florence, sam = tiny("florence2"), tiny("sam")
    with pytest.raises(BackendError, match="after the others"):
        open_backend(f"{sam}+{florence}", "cpu")
    served = open_backend("openai:http://127.0.0.1:9/v1#m")
    mute = open_backend("openai:http://127.0.0.1:9/v1#m")
    mute.card = dataclasses.replace(mute.card, capabilities=frozenset())
    with pytest.raises(BackendError, match="adds nothing"):
        registry._join([served, mute])


def test_one_whole_published_checkpoint_is_told_from_all_else(tiny: Tiny, tmp_path: Path) -> None:
    for name in ("qwen3-vl-2b", "QWEN3-VL-2B:4bit", "Qwen/Qwen3-VL-2B", str(tiny("florence2"))):
        assert is_published(name), name
    (tmp_path / "adapter_config.json").write_text("{}")
    others = ("checkpoints/deixis-tiny", "openai:http://h/v1#m", "florence-2-base+sam-base", "x")
    for name in (*others, str(tmp_path), "x" * 300):
        assert not is_published(name), name


def test_a_checkpoint_too_large_for_the_memory_is_not_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("model.backends.memory.free_bytes", lambda device: 10**9)
    monkeypatch.setattr(registry, "fetch", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(BackendError, match=r"qwen3-vl-8b needs about 43\.9 GB on cpu"):
        open_backend("qwen3-vl-8b", "cpu")


def test_a_fetched_checkpoint_is_loaded_and_every_step_is_told(
    monkeypatch: pytest.MonkeyPatch, tiny: Tiny
) -> None:
    folder = tiny("florence2")

    def snapshot(hub_id: str, *, tqdm_class: type, **_: object) -> str:
        for unit, desc in (("B", "Downloading bytes"), ("it", "Fetching 3 files")):
            bar = tqdm_class(total=0, unit=unit, desc=desc, name="snapshot", disable=True)
            bar.total = 4_000_000
            bar.update(4_000_000)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda _, name: str(folder / name))
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    told: list[str] = []
    backend = open_backend("florence-2-base", "cpu", progress=told.append)
    assert backend.card.source == "florence-community/Florence-2-base-ft"
    assert told[:2] == [
        "Looking for florence-community/Florence-2-base-ft",
        "Fetching florence-community/Florence-2-base-ft: 4 of 4 MB",
    ]
    assert told[2].startswith("Checking memory")
    assert told[-1] == "florence-2-base is ready"


@pytest.mark.parametrize(
    "name",
    ["nothing", "../../etc", "a/../b", "--opt/x", "http://x/y", "a/b/c", "", "o/--x", "x" * 300],
)
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(BackendError, match="florence-2-base"):
        open_backend(name, "cpu")


def test_an_alias_that_cannot_be_fetched_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="give its folder"):
        open_backend("florence-2-large", "cpu")


def test_a_family_without_adapter_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "moondream1"}))
    with pytest.raises(CheckpointError, match="moondream1"):
        open_backend(str(tmp_path), "cpu")


def test_a_broken_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        open_backend(str(tmp_path), "cpu")


def test_our_own_folders_go_to_our_own_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"sections": {}}))
    monkeypatch.setattr("model.engine.load", lambda folder, device: (folder, device))
    assert open_backend(str(tmp_path), "cpu") == (str(tmp_path), "cpu")


def test_devices_are_checked() -> None:
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(BackendError, match="doctor"):
        pick_device("cuda:99")
    with pytest.raises(BackendError, match="doctor"):
        pick_device("tpu")


def test_served_models_open_without_a_server() -> None:
    card = open_backend("openai:http://127.0.0.1:9/v1#Qwen/Qwen3-VL-2B-Instruct").card
    assert (card.family, card.device) == ("Qwen3-VL", "remote")


def test_own_checkpoints_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny
) -> None:
    monkeypatch.setattr(registry, "ROOT", tiny("sam").parent)
    assert open_backend("sam", "cpu").card.family == "sam"
