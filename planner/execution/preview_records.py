"""What the events of a journal add up to for previews. No I/O."""

from __future__ import annotations

from dataclasses import replace

from planner.errors import StoreError
from planner.execution.events import PreviewIntended, PreviewMoved
from planner.execution.previews import GONE, PREVIEW_TRANSITIONS, Preview, PreviewState
from planner.providers.base import Target


class PreviewRecords:
    """By id, in the order of their intents."""

    def __init__(self) -> None:
        self._previews: dict[str, Preview] = {}

    def get(self, preview_id: str) -> Preview | None:
        return self._previews.get(preview_id)

    def every(self) -> list[Preview]:
        return list(self._previews.values())

    def open(self, credential: str) -> list[Preview]:
        """Those that exist or may exist, made with this API key."""
        return [each for each in self.every() if each.state not in GONE and each.credential == credential]

    def of_target(self, target: Target) -> Preview | None:
        """The preview that calls to this target reach; None if it is no preview of ours."""
        kind, target_id = target
        copies = (each for each in self.every() if kind == "agent" and each.copy_id == target_id)
        return next(copies, None)

    def validate(self, event: PreviewIntended | PreviewMoved) -> None:
        """Raises `StoreError` or `AssertionError` if the event is impossible now."""
        if isinstance(event, PreviewIntended):
            if event.preview.preview_id in self._previews:
                raise StoreError(f"preview {event.preview.preview_id} is already in the journal")
            return
        before = self._previews[event.preview_id]
        if event.state not in PREVIEW_TRANSITIONS.get(before.state, frozenset()):
            move = f"{before.state.value} → {event.state.value}"
            raise AssertionError(f"preview {event.preview_id}: {move} is not a valid transition")
        if event.state is PreviewState.MADE and event.copy_id is None:
            raise AssertionError(f"preview {event.preview_id} is made, but its copy has no id")

    def apply(self, event: PreviewIntended | PreviewMoved) -> None:
        if isinstance(event, PreviewIntended):
            self._previews[event.preview.preview_id] = event.preview
            return
        preview = self._previews[event.preview_id]
        copy_id = preview.copy_id if event.copy_id is None else event.copy_id
        detail = event.detail or preview.detail
        self._previews[event.preview_id] = replace(preview, state=event.state, copy_id=copy_id, detail=detail)
