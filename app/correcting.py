"""Runs corrections: an answer becomes editable, and what was corrected is kept as an example."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app import edits, handlers, intake, phrases, words
from model.errors import PictureError
from model.types import Answer

if TYPE_CHECKING:
    from app.conversation import Conversation, View
    from app.corrections import Corrections, Saved
    from app.session import Desk, Exchange, Key

Json = dict[str, Any]
LABELS = 200
"""Label suggestions sent to a browser."""

SHELF = 60
"""Saved examples shown, newest first."""


@dataclass(frozen=True, slots=True)
class Correcting:
    """What people do to answers that are wrong.

    Attributes:
        talk: the conversation whose answers are corrected.
        shelf: where examples are kept.
    """

    talk: Conversation
    shelf: Corrections

    def begin(self, key: Key) -> Json:
        """Returns the answer on display, ready to be edited; only labels if there is none."""
        desk = self.talk.people.desk(key)
        exchange = desk.exchange(desk.shown) or last_exchange(desk)
        edit: Json = {"open": True, "labels": self._labels(), "serial": next(handlers.SERIAL)}
        if desk.picture is None:
            return edit
        edit["picture"] = desk.picture.key
        if exchange is None or exchange.answer is None:
            return edit | edits.editable(words.STARTERS[0], Answer(""), 0.0)
        edit["exchange"] = exchange.number
        threshold = self.talk.threshold(desk, exchange)
        answer = phrases.seen_from(exchange, threshold)
        return edit | edits.editable(exchange.question, answer, threshold)

    def end(self) -> Json:
        """Returns what closes editing on the canvas."""
        return {"open": False, "boxes": None, "serial": next(handlers.SERIAL)}

    def _labels(self) -> list[str]:
        card = self.talk.host.card
        return list(card.vocabulary[:LABELS]) if card else []

    def save(self, key: Key, boxes: object, caption: object) -> Saved:
        """Keeps the corrected answer on display as an example.

        Raises:
            DeixisError: there is no picture, or the correction cannot be used.
        """
        desk = self.talk.people.desk(key)
        if desk.picture is None:
            raise PictureError(words.NO_PICTURE)
        exchange = desk.exchange(desk.shown) or last_exchange(desk)
        regions = exchange.regions if exchange else ()
        limits = edits.Limits(self.talk.settings.max_text)
        turn = edits.corrected(boxes, caption, regions, limits)
        saved = self.shelf.save(
            desk.picture,
            (turn,),
            owner=owner_of(key),
            title=desk.title,
            replaced=self._replaced(key, desk.reopened),
        )
        self.talk.people.change(key, lambda now: handlers.corrected(now, turn, saved.identity))
        return saved

    def _replaced(self, key: Key, identity: str | None) -> Saved | None:
        """Returns the example that saving replaces, if it is still there."""
        return next((kept for kept in self.saved(key) if kept.identity == identity), None)

    def reopen(self, key: Key, identity: str) -> View:
        """Puts a saved example's picture and turns back on the desk.

        Raises:
            InputError: it is not there, or not this person's.
        """
        saved, image = self.shelf.reopen(identity, self._owner(key))
        picture = intake.read(image, self.talk.settings)
        turns = saved.example.turns

        def reopened(desk: Desk) -> Desk:
            return handlers.reopen(desk, picture, saved.title, turns, identity)

        return self.talk.put(key, picture, reopened)

    def delete(self, key: Key, identity: str) -> None:
        """Deletes a saved example.

        Raises:
            InputError: it is not there, or not this person's.
        """
        self.shelf.delete(identity, self._owner(key))

    def saved(self, key: Key) -> Sequence[Saved]:
        """Returns the examples a person may see, oldest first."""
        return self.shelf.all(self._owner(key))

    def shelf_items(self, key: Key) -> list[Json]:
        """Returns the newest examples with small pictures, for the shelf."""
        items: list[Json] = []
        for saved in reversed(self.saved(key)[-SHELF:]):
            file = self.shelf.thumbnail(saved)
            if file.is_file():
                content = base64.b64encode(file.read_bytes()).decode("ascii")
                title = saved.title or saved.example.turns[0].question
                src = f"data:image/jpeg;base64,{content}"
                items.append({"id": saved.identity, "title": phrases.clip(title), "src": src})
        return items

    def _owner(self, key: Key) -> str | None:
        """Returns whose examples a person may see: on the own machine everybody's."""
        return None if self.talk.settings.local else owner_of(key)


def owner_of(key: Key) -> str:
    """Returns a name for a person that does not give the cookie away."""
    return hashlib.sha256(f"owner {key[0]}".encode()).hexdigest()[:16]


def last_exchange(desk: Desk) -> Exchange | None:
    """Returns the newest exchange of a desk."""
    return desk.exchanges[-1] if desk.exchanges else None
