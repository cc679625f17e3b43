"""The base of this program's exceptions: what happened, what was expected, and the next step, each a field."""

from typing import TYPE_CHECKING

from dive_infra.results.remedy import NO_REMEDY, Remedy

if TYPE_CHECKING:
    from dive_infra.results.codes import Code  # which has an error of its own


class DiveError(Exception):
    """An error for an operator: `cause` is what was found, `remedy` the next step, `code` an error code.

    `str()` is the whole message. Nothing parses it: who needs a part reads the field.
    """

    def __init__(self, cause: str, remedy: Remedy = NO_REMEDY, code: "Code | None" = None, expected: str = "") -> None:
        super().__init__(cause)
        self.cause, self.remedy, self.code, self.expected = cause, remedy, code, expected

    def __str__(self) -> str:
        message = f"{self.cause}; expected {self.expected}" if self.expected else self.cause
        choices = self.remedy.choices
        if len(choices) > 1:
            return "\n  ".join([f"{message}. Next, one of:", *choices])
        return f"{message}; next: {choices[0]}" if choices else message
