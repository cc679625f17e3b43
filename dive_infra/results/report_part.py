"""The base of what reports are made of: data with a JSON schema."""

from pydantic import BaseModel, ConfigDict


class ReportPart(BaseModel):
    """A report, or a part of one: it cannot be changed, and accepts no field that its schema does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
