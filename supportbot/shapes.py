"""What every section of the operator's YAML has in common."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError


def web_address(text: str) -> str:
    """`text`, a complete http or https address. Raises ValueError."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        right = False
    if not right or re.search(r"\s", text):
        raise ValueError("must be a complete address that begins with https:// or http://")
    return text


def misplaced(message: str, key: str) -> PydanticCustomError:
    """An error of a whole mapping that is shown at one of its keys."""
    return PydanticCustomError("misplaced", "{message}", {"message": message, "at": key})


Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, AfterValidator(web_address)]
Secret = Annotated[SecretStr, Field(min_length=1)]


class Section(BaseModel):
    """A part of a file: unchangeable, and no key is unknown to it. A key that is left empty means its default."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {k: v for k, v in data.items() if v is not None or k not in fields or fields[k].is_required()}
