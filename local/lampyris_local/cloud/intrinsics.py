"""CloudFormation's YAML and its intrinsic functions, as far as a template for the local cloud needs them."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import yaml


class TemplateError(ValueError):
    """A template that the local cloud cannot run. The message says which part, and what would be right."""


class NotMadeLocallyError(TemplateError):
    """A reference to something that exists on AWS only, such as a role's ARN."""


class _NoValue(Enum):
    """`AWS::NoValue`: the property that holds it is left out."""

    NO_VALUE = "AWS::NoValue"


NO_VALUE = _NoValue.NO_VALUE


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: short tags stand for functions, dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _construct_function(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    argument: Any = None
    if isinstance(node, yaml.ScalarNode):
        argument = loader.construct_scalar(node)
        if tag == "GetAtt":
            argument = argument.split(".", 1)
    elif isinstance(node, yaml.MappingNode):
        argument = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": argument}


_Loader.add_multi_constructor("!", _construct_function)


def load(text: str | bytes) -> dict[str, Any]:
    """Read a template. `!Sub x` and its like become `{"Fn::Sub": x}`, the long form."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        raise TemplateError(f"The template is not YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError("The template has no section Resources; a SAM template needs one.")
    return document


def text(value: Any) -> str:
    """Write a value as CloudFormation does where text is wanted: true and false are lower-case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def is_function(node: Any) -> bool:
    """Whether a node stands for what an intrinsic function makes."""
    if not isinstance(node, Mapping) or len(node) != 1:
        return False
    name = next(iter(node))
    return name == "Ref" or str(name).startswith("Fn::")


class Intrinsics:
    """Evaluates intrinsic functions.

    `ref` and `attribute` answer for parameters and resources; `finish` sees every text that Sub or Join made.
    """

    def __init__(
        self,
        *,
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        finish: Callable[[str], str],
    ) -> None:
        self._mappings = mappings
        self._conditions = conditions
        self._ref = ref
        self._attribute = attribute
        self._finish = finish
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
        }

    def resolve(self, node: Any) -> Any:
        """Replace every intrinsic function within `node` by its value."""
        if isinstance(node, Mapping):
            if len(node) == 1:
                ((name, argument),) = node.items()
                if name in self._functions:
                    return self._functions[name](argument)
                if name.startswith("Fn::"):
                    known = ", ".join(sorted(self._functions))
                    raise TemplateError(f"The local cloud does not know {name}; it knows {known}.")
            resolved = {key: self.resolve(value) for key, value in node.items()}
            return {key: value for key, value in resolved.items() if value is not NO_VALUE}
        if isinstance(node, list):
            return [value for value in map(self.resolve, node) if value is not NO_VALUE]
        return node

    def condition(self, name: str) -> bool:
        """Whether a condition of the section Conditions holds."""
        if name not in self._conditions:
            raise TemplateError(f"There is no condition {name}; the section Conditions must define it.")
        return self.holds(self._conditions[name])

    def holds(self, node: Any) -> bool:
        """Whether a condition function holds, such as Fn::Equals."""
        if not isinstance(node, Mapping) or len(node) != 1:
            raise TemplateError(f"A condition is one function such as Fn::Equals, not {node!r}.")
        ((name, argument),) = node.items()
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = self._arguments("Fn::Equals", argument, 2)
                return text(self.resolve(left)) == text(self.resolve(right))
            case "Fn::Not":
                (inner,) = self._arguments("Fn::Not", argument, 1)
                return not self.holds(inner)
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))
        raise TemplateError(
            f"The local cloud does not know the condition {name}; "
            "it knows Condition, Fn::Equals, Fn::Not, Fn::And and Fn::Or."
        )

    @staticmethod
    def _arguments(name: str, argument: Any, count: int) -> Sequence[Any]:
        if not isinstance(argument, list) or len(argument) != count:
            raise TemplateError(f"{name} takes a list of {count}, not {argument!r}.")
        return argument

    def _get_att(self, argument: Any) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        logical_id, attribute = self._arguments("Fn::GetAtt", parts, 2)
        return self._attribute(logical_id, attribute)

    def _sub(self, argument: Any) -> str:
        pattern, variables = (argument, {}) if isinstance(argument, str) else argument

        def replace(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return text(self.resolve(variables[name]))
            if "." in name:
                return text(self._get_att(name))
            return text(self._ref(name))

        return self._finish(re.sub(r"\$\{([^}]+)\}", replace, pattern))

    def _if(self, argument: Any) -> Any:
        name, then, otherwise = self._arguments("Fn::If", argument, 3)
        return self.resolve(then if self.condition(name) else otherwise)

    def _join(self, argument: Any) -> str:
        delimiter, parts = self._arguments("Fn::Join", argument, 2)
        return self._finish(delimiter.join(text(part) for part in self.resolve(parts)))

    def _select(self, argument: Any) -> Any:
        index, parts = self._arguments("Fn::Select", argument, 2)
        position, choices = int(self.resolve(index)), self.resolve(parts)
        if not 0 <= position < len(choices):
            raise TemplateError(
                f"Fn::Select: there is no item {position} among {len(choices)}, counted from 0."
            )
        return choices[position]

    def _split(self, argument: Any) -> list[str]:
        delimiter, whole = self._arguments("Fn::Split", argument, 2)
        return text(self.resolve(whole)).split(delimiter)

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = (self.resolve(part) for part in self._arguments("Fn::FindInMap", argument, 3))
        try:
            return self._mappings[name][first][second]
        except KeyError as missing:
            raise TemplateError(
                f"Fn::FindInMap: the section Mappings has no {name}.{first}.{second} ({missing} is missing)."
            ) from missing
