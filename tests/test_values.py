"""Values are compared by their fields and cannot be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, field, replace

import pytest

from planner.values import frozen


@frozen
class Price:
    cents: int
    basis: str = "history"
    note: str = field(default="", compare=False)


@frozen
class Other:
    cents: int
    basis: str = "history"


@frozen
class Empty:
    pass


def test_equality_hash_and_text() -> None:
    price = Price(3)
    assert price == Price(3, note="not compared")
    assert hash(price) == hash(Price(3))
    assert price not in (Price(4), Other(3))
    assert replace(price, cents=4) == Price(4)
    assert repr(price) == "Price(cents=3, basis='history', note='')"
    assert {Empty()} == {Empty()}
    assert not hasattr(price, "__dict__")


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Price(3).cents = 4  # pyright: ignore[reportAttributeAccessIssue]
