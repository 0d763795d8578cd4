"""A template's parameters: defaults, overrides and what they must satisfy."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from lampyris_local.cloud.intrinsics import TemplateError, text


def parameter_values(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    """Return each declared parameter's value.

    Raises: TemplateError for an override that is not declared, or a value that is missing or not allowed.
    """
    for name in overrides:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(declared) or 'none'}."
            raise TemplateError(f"The template has no parameter {name}; {hint}")
    return {name: _value(name, declaration, overrides.get(name)) for name, declaration in declared.items()}


def _value(name: str, declaration: Mapping[str, Any], override: str | None) -> Any:
    given = declaration.get("Default") if override is None else override
    if given is None:
        raise TemplateError(f"The parameter {name} has no default; give it a value.")
    value = text(given)
    allowed = [text(choice) for choice in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise TemplateError(f"The parameter {name} is {value!r}; it may be {', '.join(allowed)}.")
    match declaration.get("Type", "String"):
        case "String":
            pattern = declaration.get("AllowedPattern")
            if pattern is not None and re.fullmatch(pattern, value) is None:
                raise TemplateError(f"The parameter {name} is {value!r}; it must match {pattern}.")
            longest = _number(name, text(declaration.get("MaxLength", len(value))))
            if len(value) > longest:
                raise TemplateError(
                    f"The parameter {name} has {len(value)} letters; it may have {longest} at most."
                )
            return value
        case "Number":
            number = _number(name, value)
            # Quoted or not, as CloudFormation takes them.
            least = _number(name, text(declaration.get("MinValue", number)))
            most = _number(name, text(declaration.get("MaxValue", number)))
            if not least <= number <= most:
                raise TemplateError(
                    f"The parameter {name} is {value}; it must be between {least} and {most}."
                )
            return number
        case "CommaDelimitedList":
            return [part.strip() for part in value.split(",")]
        case other:
            raise TemplateError(
                f"The parameter {name} has the type {other}; "
                "the local cloud knows String, Number and CommaDelimitedList."
            )


def _number(name: str, value: str) -> int | float:
    try:
        return float(value) if "." in value else int(value)
    except ValueError:
        raise TemplateError(f"The parameter {name} is {value!r}; it must be a number.") from None
