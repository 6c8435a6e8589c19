"""What a person may do next, as the results document has it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class NextStepCode(StrEnum):
    FIX = "fix"
    """What stopped the session says how to fix it."""
    RESUME = "resume"
    RAISE_CEILING = "raise_ceiling"
    TOP_UP = "top_up"
    """The balance of the organization is used up."""
    WAIT = "wait"
    """Runs have not ended, or an answer is missing: the next session looks for them."""
    RECONCILE = "reconcile"
    """A person must settle unconfirmed launches."""
    TRANSCRIPT = "transcript"
    READ_AGAIN = "read_again"
    """Evidence is missing: the next session reads it, free."""
    CALL_AGAIN = "call_again"
    """The next session makes calls or judge calls that decide cases."""
    CHANGE_EXPECTATIONS = "change_expectations"
    """Only new calls or other expectations decide a case."""
    START_OVER = "start_over"


class NextStep(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    code: NextStepCode
    text: str = Field(description="One sentence for people; it may introduce the command.")
    command: str = Field(default="", description="A command line, if one command does it.")
    charged: bool = Field(default=False, description="Whether the command may make calls that cost money.")

    @property
    def line(self) -> str:
        """Text and command in one line."""
        return f"{self.text}: {self.command}" if self.command else self.text
