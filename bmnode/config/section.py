"""What every table of the settings is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """One table of the file. Frozen; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, content: object) -> object:
        """TOML has no null: an empty text leaves a key that may be left out at its default."""
        if not isinstance(content, dict):
            return content
        optional = {name for name, info in cls.model_fields.items() if not info.is_required() and info.default is None}
        return {key: value for key, value in content.items() if not (value == "" and key in optional)}
