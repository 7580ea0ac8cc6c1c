"""The part of the Open Data Contract Standard that we follow, and positions in the file.

Unlike the published pydantic models, an unknown key is an error on every level, not only on the first:
a typo in ``required`` would otherwise allow what it meant to forbid.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml.constructor import SafeConstructor

from lifecycle.errors import ConfigurationError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser is ten times faster, where PyYAML was built with it."""


_DEEPEST = 30


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Reference(_Strict):
    type: str | None = None
    url: str | None = None
    description: str | None = None


class CustomProperty(_Strict):
    property: Literal["strict", "uniqueKey", "descriptionDe", "source", "sourceUrl", "titleDe"]
    value: str | bool
    description: str | None = None


class Options(_Strict):
    pattern: str | None = None
    minLength: int | None = None
    maxLength: int | None = None


class Property(_Strict):
    name: str
    logicalType: Literal["string", "integer", "timestamp"]
    required: bool
    classification: Literal["identity", "appointment"]
    description: str = ""
    businessName: str | None = None
    physicalType: str | None = None
    physicalName: str | None = None
    logicalTypeOptions: Options = Options()
    primaryKey: bool | None = None
    primaryKeyPosition: int | None = None
    unique: bool | None = None
    criticalDataElement: bool | None = None
    tags: list[str] = []
    authoritativeDefinitions: list[Reference] = []
    customProperties: list[CustomProperty] = []


class Table(_Strict):
    name: str
    properties: list[Property] = Field(min_length=1)
    logicalType: Literal["object"] = "object"
    physicalType: str | None = None
    physicalName: str | None = None
    businessName: str | None = None
    description: str = ""
    tags: list[str] = []
    authoritativeDefinitions: list[Reference] = []
    customProperties: list[CustomProperty] = []


class ServiceLevel(_Strict):
    property: str
    value: str | int | float | bool
    unit: str | None = None
    element: str | None = None
    driver: str | None = None
    description: str | None = None


class Description(_Strict):
    purpose: str = ""
    usage: str | None = None
    limitations: str | None = None
    authoritativeDefinitions: list[Reference] = []
    customProperties: list[CustomProperty] = []


class ContractFile(_Strict):
    apiVersion: str = Field(pattern=r"^v3\.\d+\.\d+$")
    kind: Literal["DataContract"]
    id: str
    version: str
    status: str
    name: str = ""
    domain: str | None = None
    dataProduct: str | None = None
    tenant: str | None = None
    tags: list[str] = []
    description: Description = Description()
    schema_: list[Table] = Field(alias="schema", min_length=1)
    slaDefaultElement: str | None = None
    slaProperties: list[ServiceLevel] = []
    authoritativeDefinitions: list[Reference] = []
    customProperties: list[CustomProperty] = []
    contractCreatedTs: str | None = None
    # Known to the standard, of no meaning here: read and left alone.
    team: Any = None
    roles: Any = None
    support: Any = None
    servers: Any = None
    price: Any = None


_LEVELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): ContractFile,
    ("description",): Description,
    ("slaProperties",): ServiceLevel,
    ("schema",): Table,
    ("schema", "customProperties"): CustomProperty,
    ("schema", "properties"): Property,
    ("schema", "properties", "logicalTypeOptions"): Options,
    ("schema", "properties", "customProperties"): CustomProperty,
}


class Document:
    """A parsed contract file: the model, and where in the file each part stands."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._root = self._compose(text)
        if not isinstance(self._root, yaml.MappingNode):
            raise ConfigurationError(f"{name}: a contract is a mapping, this file is not.", "lifecycle init shows one.")
        self._refuse_repeated_keys(self._root)
        self.model = self._validated(self._root)

    def error(self, loc: tuple[str | int, ...], fact: str, hint: str = "") -> ConfigurationError:
        """An error that begins with file, line and column of the part at ``loc``."""
        return ConfigurationError(f"{self._name}, {self._position(loc)}: {fact}", hint)

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            self._refuse_depth(text)
            return yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise ConfigurationError(f"{self._name}{where}: not YAML ({error.problem}).") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise ConfigurationError(f"{self._name}: not YAML.") from error

    def _refuse_depth(self, text: str) -> None:
        """The C parser builds nodes by recursion and would end the process; and an alias can stand for a billion."""
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
                what = "aliases are not used in contracts" if depth <= _DEEPEST else f"more than {_DEEPEST} levels deep"
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ConfigurationError(f"{self._name}, line {line}: not YAML that can be a contract ({what}).")

    def _refuse_repeated_keys(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise ConfigurationError(f"{self._name}, {_mark(key)}: the key '{key.value}' stands here twice.")
                seen.add(key.value)
                self._refuse_repeated_keys(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._refuse_repeated_keys(item)

    def _validated(self, root: yaml.Node) -> ContractFile:
        try:
            return ContractFile.model_validate(SafeConstructor().construct_document(root))
        except ValidationError as failure:
            # Only place, kind and message: the rest of a pydantic error repeats what the file said.
            errors = failure.errors(include_url=False, include_context=True)
            errors.sort(key=lambda error: error["type"] != "extra_forbidden")  # a typo explains what is missing
            raise self._translated(errors[0]) from None
        except (yaml.YAMLError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{self._name}: a value in it cannot be read as YAML.") from error

    def _translated(self, error: Any) -> ConfigurationError:
        loc, kind = tuple(error["loc"]), error["type"]
        if kind == "extra_forbidden":
            level = tuple(part for part in loc[:-1] if isinstance(part, str))
            model = _LEVELS.get(level)
            known = [f.alias or name for name, f in model.model_fields.items()] if model else []
            return self.error(loc, f"unknown key '{loc[-1]}'.", did_you_mean(str(loc[-1]), known))
        if kind == "missing":
            return self.error(loc[:-1], f"the key '{loc[-1]}' is missing.")
        if kind == "literal_error":
            words = [word.strip(" '") for word in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
            given = str(error["input"])[:40]
            return self.error(loc, f"'{given}' is none of {', '.join(words)} ({loc[-1]}).", did_you_mean(given, words))
        return self.error(loc, f"{loc[-1] if loc else 'contract'}: {error['msg']}.")

    def _position(self, loc: tuple[str | int, ...]) -> str:
        node: yaml.Node | None = self._root
        where = node
        for part in loc:
            step = _step(node, part)
            if step is None:
                break
            where, node = step
        return _mark(where)


def did_you_mean(given: str, known: list[str]) -> str:
    """A hint naming the nearest known word, or all of them when none is near."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(known)}" if known else ""


def _step(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node to point at, and the node to go on from."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _mark(node: yaml.Node | None) -> str:
    mark = node.start_mark if node is not None else None
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else "line 1, column 1"
