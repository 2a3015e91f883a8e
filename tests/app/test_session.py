"""Desks: kept apart, bounded, and reached only with the cookie they were made with."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from app.session import ADMIN_HEADER, COOKIE, ENCODED_KEPT, Desk, Exchange, People, is_admin, key_of
from model.backends.base import EncodedPicture
from model.types import Size

ANNA, BERT = ("anna's cookie", "tab1"), ("bert's cookie", "tab2")


def visitor(cookie: str, tab: str) -> Any:
    return SimpleNamespace(cookies={COOKIE: cookie} if cookie else {}, session_hash=tab)


def test_two_people_never_see_each_others_desk() -> None:
    people = People()
    people.change(ANNA, lambda desk: replace(desk, title="Anna's picture"))
    assert people.desk(BERT) == Desk()
    assert people.desk(ANNA).title == "Anna's picture"


def test_a_stolen_tab_without_the_cookie_is_an_empty_desk() -> None:
    people = People()
    people.change(key_of(visitor("anna", "tab")), lambda desk: replace(desk, title="secret"))
    assert people.desk(key_of(visitor("eve", "tab"))).title == ""
    assert people.desk(key_of(visitor("", "tab"))).title == ""


def test_the_longest_idle_person_is_forgotten_beyond_the_limit() -> None:
    people = People(limit=2)
    for name in ("one", "two"):
        people.change((name, ""), lambda desk: replace(desk, title="kept"))
    people.desk(("one", ""))
    people.desk(("three", ""))
    assert people.desk(("one", "")).title == "kept"
    assert len(people) == 2
    assert people.desk(("two", "")).title == ""


def test_an_idle_desk_is_forgotten_with_age() -> None:
    now = [0.0]
    people = People(age=10, clock=lambda: now[0])
    people.change(ANNA, lambda desk: replace(desk, title="old"))
    now[0] = 10.5
    assert people.desk(ANNA).title == ""


def test_a_new_run_stops_the_one_before_and_only_the_same_persons() -> None:
    people = People()
    first, other = people.begin(ANNA), people.begin(BERT)
    second = people.begin(ANNA)
    assert first.is_set()
    assert not second.is_set()
    assert not other.is_set()
    assert people.runs(ANNA, second)
    assert not people.runs(ANNA, first)


def test_who_leaves_stops_what_runs() -> None:
    people = People()
    run = people.begin(ANNA)
    people.forget(ANNA)
    assert run.is_set()
    assert len(people) == 0


def test_encoded_pictures_are_kept_by_picture_and_version_and_bounded() -> None:
    desk = Desk()
    for i in range(ENCODED_KEPT + 1):
        desk = desk.with_encoding(f"p{i}", "v1", EncodedPicture(f"e{i}", Size(1, 1), None))
    assert desk.encoding("p0", "v1") is None
    assert desk.encoding("p2", "v2") is None
    kept = desk.encoding("p2", "v1")
    assert kept is not None
    assert kept.key == "e2"


def test_replacing_an_exchange_that_has_gone_changes_nothing() -> None:
    desk = Desk(exchanges=(Exchange(1, "a"),))
    assert desk.replaced(Exchange(9, "z")) == desk


def test_only_the_guards_word_makes_an_admin() -> None:
    assert is_admin({ADMIN_HEADER: "yes"})
    assert not is_admin({})
    assert not is_admin({ADMIN_HEADER: "true"})
