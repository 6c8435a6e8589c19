"""What every part of the results document is: fields of newer minor versions are passed over, and nothing changes once made."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    def model_post_init(self, _: Any) -> None:
        """Of each document pydantic keeps a set of the fields that were written: hundreds of thousands of which are alike, and
        half of the memory of a large baseline. Nobody changes them, so those that are alike are one."""
        given = self.__pydantic_fields_set__
        object.__setattr__(self, "__pydantic_fields_set__", _GIVEN.setdefault(frozenset(given), given))


_GIVEN: dict[frozenset[str], set[str]] = {}
