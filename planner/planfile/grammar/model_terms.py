"""What the models of all authored documents are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]
Cents = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Authored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
