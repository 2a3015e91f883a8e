"""Runs corrections: an answer becomes editable, and what was corrected is kept as an example."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app import edits, handlers, intake, phrases, words
from model.errors import PictureError

if TYPE_CHECKING:
    from app.conversation import Conversation
    from app.corrections import Corrections, Saved
    from app.session import Desk, Key
    from app.views import View

Json = dict[str, Any]
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

    def save(self, key: Key, sent: Mapping[str, Any]) -> Saved:
        """Keeps a corrected answer as an example, and on the desk.

        Args:
            key: who corrected it.
            sent: the canvas's {"picture", "exchange", "boxes", "question", "text", "links"}.

        Raises:
            DeixisError: there is no picture or another one, or the correction cannot be used.
        """
        desk = self.talk.people.desk(key)
        if desk.picture is None:
            raise PictureError(words.NO_PICTURE)
        if sent.get("picture") != desk.picture.key:
            raise PictureError(words.OTHER_PICTURE)
        exchange = handlers.corrected_exchange(desk, sent.get("exchange"))
        regions = exchange.regions if exchange else ()
        limits = edits.Limits(self.talk.settings.max_text)
        turn = edits.corrected(sent.get("boxes"), sent, regions, limits)
        saved = self.shelf.save(
            desk.picture,
            (turn,),
            owner=owner_of(key),
            title=desk.title,
            replaced=self._replaced(key, desk.reopened),
        )
        number = exchange.number if exchange else None
        self.talk.people.change(
            key, lambda now: handlers.corrected(now, number, turn, saved.identity)
        )
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
