"""The whole model, put together.

picture -> vision -> objects, projector -> image tokens ─┐
shapes  -> region encoder -> region tokens ──────────────┼-> language -> words, routing tokens
words   -> embeddings ───────────────────────────────────┘      │ states of image tokens: context
                                                                │ states of super-link queries
                                       box, mask, pose heads <-─┴-> word locator
                                             └-> findings -> the word that follows
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

from model.batch import Batch, Outputs
from model.box_decoder import BoxDecoder
from model.config import ModelConfig
from model.findings import Findings
from model.language import Prefixed, build_language, causal_mask, packed_mask
from model.mask_head import MaskHead
from model.objects import ObjectContext, ObjectEncoder, Objects
from model.pose_head import PoseHead
from model.projector import Projector
from model.published_vision import build_vision
from model.region_encoder import RegionEncoder
from model.tokens import ROUTES, Special
from model.vision import Sight
from model.word_locator import WordLocator


class DeixisConfig(PreTrainedConfig):
    """The transformers face of `ModelConfig`: `sections` is its JSON."""

    model_type = "deixis"

    def __init__(
        self,
        sections: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401 - transformers adds what it likes
    ) -> None:
        self.sections = sections or {}
        super().__init__(**kwargs)

    @property
    def tree(self) -> ModelConfig:
        """The typed configuration; unknown keys are refused here."""
        return ModelConfig.from_json(self.sections)


class DeixisModel(PreTrainedModel):
    """A localization-capable vision-language model."""

    config_class = DeixisConfig
    base_model_prefix = "deixis"
    main_input_name = "ids"
    _supports_sdpa = True

    def __init__(self, config: DeixisConfig) -> None:
        super().__init__(config)
        tree = config.tree
        self.tree = tree
        self.vision = build_vision(tree.trunk)
        self.objects = ObjectEncoder(tree)
        self.context = ObjectContext(tree)
        self.projector = Projector(tree)
        self.region_encoder = RegionEncoder(tree)
        self.prefixed = Prefixed(build_language(tree.language), tree.language.dropout)
        self.links = nn.Embedding(len(ROUTES) * tree.decoder.num_links, tree.language.width)
        self.box_decoder = BoxDecoder(tree)
        self.findings = Findings(tree)
        self.word_locator = WordLocator(tree)
        self.mask_head = MaskHead(tree)
        self.pose_head = PoseHead(tree)
        nn.init.normal_(self.links.weight, std=0.02)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leaves every layer as its constructor made it, but for what loading cannot restore."""
        if "Rotary" in type(module).__name__:  # Its frequencies are computed, not saved.
            super()._init_weights(module)

    @classmethod
    def from_tree(cls, tree: ModelConfig) -> DeixisModel:
        """Returns an untrained model."""
        return cls(DeixisConfig(sections=tree.to_json()))

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embeddings."""
        return self.prefixed.embedding

    def forward(self, batch: Batch) -> Outputs:
        """Runs teacher-forced turns and detection names over pictures."""
        objects = self.objects(batch.sight)
        image, real = self.image_tokens(batch.sight, objects)
        regions = self.region_encoder(batch.regions, batch.sight, objects.queries)
        rows = batch.rows
        words = self.pick(self.embed(rows.ids, regions), rows.ids, image, real)
        words = self.tell(words, rows.groups, batch.found)
        mask = packed_mask(real, rows.turn)
        length = image.shape[1]
        positions = torch.cat(
            [
                torch.arange(length, device=words.device).expand(len(words), -1),
                rows.position + length,
            ],
            1,
        )
        whole = self.prefixed.run(torch.cat([image, words], 1), mask, positions)
        states = whole[:, length:]
        links, picture = self.link_states(states, rows.groups)
        route = rows.groups[:, 2]
        drawn = route >= ROUTES.index(Special.SEG)
        is_mask = route[drawn] == ROUTES.index(Special.SEG)
        inside = (links[drawn], batch.rois, picture[drawn])
        masks = self.mask_head(*(part[is_mask] for part in inside), batch.sight)
        joints, visible = self.pose_head(*(part[~is_mask] for part in inside), batch.sight)
        if len(batch.asked):
            names = self.name_links(batch.names)
            links = torch.cat([links, names[batch.asked[:, 1]]])
            picture = torch.cat([picture, batch.asked[:, 0]])
        objects = self.context(objects, whole[:, :length])
        boxes = self.box_decoder(links, picture, batch.sight, objects)
        word_boxes = self.word_locator(states[rows.words[:, 0], rows.words[:, 1]])
        return Outputs(states, boxes, word_boxes, masks, joints, visible)

    def image_tokens(self, sight: Sight, objects: Objects) -> tuple[Tensor, Tensor]:
        """Returns `<bos>` and image tokens float[B, P, D] and which are real, bool[B, P]."""
        image, real = self.projector(sight, objects.queries)
        real = torch.cat([real.new_ones(len(real), 1), real], 1)
        return self.prefixed.prefix_embeddings(image), real

    def pick(self, words: Tensor, ids: Tensor, image: Tensor, real: Tensor) -> Tensor:
        """Returns token embeddings, the slots of what questions pick of their picture filled."""
        guided = self.projector.guided
        return words if guided is None else guided(words, ids, image, real)

    def embed(self, ids: Tensor, regions: Tensor) -> Tensor:
        """Returns token embeddings with region and link slots filled.

        Args:
            ids: int64[B, T].
            regions: float[R, tokens, D], in the order of their slots.
        """
        embeddings = self.prefixed.embedding(ids)
        slots = ids == Special.REGION.id
        if slots.any():
            embeddings = embeddings.masked_scatter(
                slots.unsqueeze(-1), regions.flatten(0, 1).to(embeddings.dtype)
            )
        links = ids == Special.LINK.id
        if links.any():
            queries = self.links(_link_numbers(ids, self.tree.decoder.num_links))
            embeddings = torch.where(links.unsqueeze(-1), queries, embeddings)
        return embeddings

    def tell(self, words: Tensor, groups: Tensor, found: Tensor) -> Tensor:
        """Returns token embeddings of which those behind each phrase's links know what was found.

        Args:
            words: float[B, T, D].
            groups: int64[G, 3], as in `Rows`.
            found: float[G, 5], see `findings.summary`.
        """
        behind = groups[:, 1] + self.tree.decoder.num_links + 1
        told = self.findings(found).to(words.dtype)
        return words.index_put((groups[:, 0], behind), told, accumulate=True)

    def link_states(self, states: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the states behind each routing token float[G, L, D] and their picture [G]."""
        steps = torch.arange(1, self.tree.decoder.num_links + 1, device=states.device)
        return states[groups[:, :1], groups[:, 1:2] + steps], groups[:, 0]

    def name_links(self, names: Tensor) -> Tensor:
        """Returns the link states of class names on their own, float[N, L, D]."""
        real = names != Special.PAD.id
        mask = causal_mask(real[:, :0], names.shape[1]) & real.unsqueeze(1)
        # A padded token sees itself, so that no row of the attention is empty.
        mask = mask | torch.eye(names.shape[1], dtype=torch.bool, device=names.device)
        positions = (real.cumsum(1) - 1).clamp(min=0)
        none = self.links.weight.new_zeros(0, 1, self.links.weight.shape[1])
        states = self.prefixed.run(self.embed(names, none), mask, positions)
        return states[:, -self.tree.decoder.num_links :]


def _link_numbers(ids: Tensor, num_links: int) -> Tensor:
    """Returns, for every link slot, its row of the link embeddings; 0 elsewhere.

    Example (two links; [GRD] is the second route):
        <p> dog </p> [GRD] <link> <link>  ->  0 0 0 0 2 3
    """
    numbers = torch.zeros_like(ids)
    for number, route in enumerate(ROUTES):
        for step in range(num_links):
            behind = torch.zeros_like(ids, dtype=torch.bool)
            behind[:, step + 1 :] = ids[:, : ids.shape[1] - step - 1] == route.id
            numbers = torch.where(behind, number * num_links + step, numbers)
    return numbers


AutoConfig.register("deixis", DeixisConfig)
AutoModel.register(DeixisConfig, DeixisModel)
