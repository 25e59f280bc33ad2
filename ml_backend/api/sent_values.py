"""Values as applications write them: numbers that may be text, one of two forms, moments without a zone.

Each kind says in its JSON Schema what it takes, so that the description stays true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_NUMBER = r"^-?[0-9]{1,19}([.][0-9]{1,20})?$"
_WHOLE = r"^-?[0-9]{1,19}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$"


@dataclass(frozen=True, slots=True)
class Number:
    """Marks a finite number between two others, both included; a text such as ``"120.5"`` is taken for one.

    Attributes:
        least: The smallest.
        most: The largest.
    """

    least: float
    most: float

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the type first: what is true or false is no number."""
        inner = core_schema.float_schema(ge=self.least, le=self.most, allow_inf_nan=False)
        return core_schema.no_info_before_validator_function(_number, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both forms."""
        number = {"type": "number", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": _NUMBER}]}


@dataclass(frozen=True, slots=True)
class Whole:
    """Marks a whole number between two others, both included; 3.0 is one, and where no text may stand ``"3"`` too.

    Attributes:
        least: The smallest.
        most: The largest.
    """

    least: int
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the type first: what is true or false is no number."""
        inner = core_schema.int_schema(ge=self.least, le=self.most)
        return core_schema.no_info_before_validator_function(_whole, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both forms."""
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": _WHOLE}]}


@dataclass(frozen=True, slots=True)
class Tagged:
    """Marks a choice of two forms that the JSON type tells apart, so that errors are those of the form that was meant.

    Text and object belong to the second, everything else to the first.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Choose by the type alone."""
        union = handler(source)
        first, second = union["choices"]
        return core_schema.tagged_union_schema(
            {FIRST: first, SECOND: second}, lambda value: SECOND if isinstance(value, str | dict) else FIRST
        )


#: Stand in the place of an error, and are of no use to a reader.
FIRST, SECOND = "(first form)", "(second form)"


def _number(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(_NUMBER, value):
        return float(value)
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "Input should be a number")
    return value


def _whole(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(_WHOLE, value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return value


def _moment(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_MOMENT, value):
        raise PydanticCustomError("moment", "Input should be a date and a time such as 2025-10-27T18:00:00")
    return value


def _within_the_calendar(value: datetime) -> datetime:
    # A time zone must not lead out of what a calendar has.
    if not 1 < value.year < MAXYEAR:
        raise PydanticCustomError("moment", "Input should be a year from 2 to 9998")
    return value


MOMENT = Annotated[
    datetime,
    BeforeValidator(_moment),
    AfterValidator(_within_the_calendar),
    WithJsonSchema({"type": "string", "pattern": _MOMENT}),
]
"""A date and a time, with a time zone or without."""
