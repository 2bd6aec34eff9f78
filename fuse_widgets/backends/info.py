"""What may stand in a node's `backend_info`, as pydantic models, one per backend."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..engine.errors import BackendInfoError, shorten
from ..engine.warn import warn

__all__ = [
    "BackendInfo",
    "LocalInfo",
    "RayInfo",
    "RemoteArgs",
    "given",
    "not_understood",
    "parse",
    "warn_of_key",
]


#: Marks a field, or one alternative of a field, whose values are no JSON: a form shows them and cannot edit them.
SHOWN_ONLY: dict[str, JsonValue] = {"x-fuse-shown-only": True}


class BackendInfo(BaseModel):
    """What every backend understands. Unknown keys are kept, see `not_understood`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, arbitrary_types_allowed=True)

    cache: bool = Field(
        default=True,
        description="Take the result from storage where its fingerprint still holds, and save it there.",
    )
    plugin: Any = Field(
        default=None,
        description="Runs before the node: a Plugin, or anything with local_initialize() and remote_initialize().",
        json_schema_extra=SHOWN_ONLY,
    )

    @field_validator("plugin")
    @classmethod
    def _has_the_two_functions(cls, plugin: Any) -> Any:
        for name in ("local_initialize", "remote_initialize"):
            if plugin is not None and not callable(getattr(plugin, name, None)):
                raise ValueError(
                    f"a plugin has the functions local_initialize and remote_initialize; this has no {name}"
                )
        return plugin


class LocalInfo(BackendInfo):
    """What `LocalWorkflow` understands."""

    executor: Literal["inline", "thread", "process"] | None = Field(
        default=None,
        description="Where this node runs: in the thread of run() itself, in a worker thread or in a worker "
        "process; None for the workflow's own choice.",
    )
    retries: int = Field(
        default=0, ge=0, le=1000, description="How often the node is tried again after it failed."
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which the node's process is killed and the node counts as failed; "
        "only with executor='process'.",
    )


def _no_json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | list | dict):
        raise PydanticCustomError("strategy", "has to be a strategy of ray.util.scheduling_strategies")
    return value


class RemoteArgs(BaseModel):
    """Options of Ray for the task or actor of a node; further ones that Ray knows are taken as well."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, arbitrary_types_allowed=True)

    num_cpus: float | None = Field(default=None, ge=0, description="CPUs that the node needs; 1 by default.")
    num_gpus: float | None = Field(default=None, ge=0, description="GPUs that the node needs.")
    memory: float | None = Field(default=None, ge=0, description="Bytes of memory that the node needs.")
    resources: dict[str, float] | None = Field(
        default=None,
        description="Resources of your own that the node needs, as the machines were started with.",
    )
    max_retries: int | None = Field(
        default=None,
        ge=-1,
        description="How often Ray tries the node again after its worker or machine was lost or memory ran out; -1 for ever, 3 by default.",
    )
    retry_exceptions: bool | Annotated[list[Any], Field(json_schema_extra=SHOWN_ONLY)] | None = Field(
        default=None,
        description="Whether Ray tries the node again, up to max_retries times, after its function raised; or, in "
        "Python, a list of the exceptions for which it does.",
    )
    runtime_env: dict[str, Any] | None = Field(
        default=None, description="What the node's worker has: packages, files, environment variables."
    )
    scheduling_strategy: (
        Literal["DEFAULT", "SPREAD"]
        | Annotated[Any, AfterValidator(_no_json), Field(json_schema_extra=SHOWN_ONLY)]
        | None
    ) = Field(
        default=None,
        description='"DEFAULT", "SPREAD", or, in Python, a strategy of ray.util.scheduling_strategies.',
    )
    label_selector: dict[str, str] | None = Field(
        default=None, description='Labels that the machine must have, for example {"zone": "a"}.'
    )
    accelerator_type: str | None = Field(
        default=None, description='The kind of accelerator that the machine must have, for example "A100".'
    )

    @model_validator(mode="wrap")
    @classmethod
    def _ray_takes_them(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        args = handler(data)
        from ._ray.options import wrong_options  # Ray's own check; only a RayWorkflow asks for it

        given = {name: getattr(args, name) for name in args.model_fields_set}
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError("ray_option", "{reason}", {"reason": reason}),
                loc=(name,),
                input=given[name],
            )
            for name, reason in wrong_options(given).items()
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return args


class RayInfo(BackendInfo):
    """What `RayWorkflow` understands."""

    remote_args: RemoteArgs | None = Field(
        default=None,
        description="Options of Ray for the node's task, or for the actor that keeps a class node's object.",
    )
    retries: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How often the node is tried again after it failed, on the same worker.",
    )


def given(info: RayInfo | None) -> dict[str, Any]:
    """The options of Ray that were set, as they were when `info` was parsed."""
    args = None if info is None else info.remote_args
    return {} if args is None else {name: getattr(args, name) for name in args.model_fields_set}


Info = TypeVar("Info", bound=BackendInfo)


def parse(model: type[Info], name: str, info: Mapping[str, Any]) -> Info:
    """A node's `backend_info` as the model, with defaults.

    Args:
        model: The backend's model.
        name: Name of the node, for errors.
        info: What stands in `node.backend_info`.

    Raises:
        BackendInfoError: Names the node, the key, the value and what is allowed.
    """
    if not isinstance(info, Mapping) or not all(isinstance(key, str) for key in info):
        raise BackendInfoError(name, None, info, "it has to be a dict whose keys are texts")
    try:
        return model.model_validate(dict(info))
    except ValidationError as error:
        errors = error.errors(include_url=False)
        reasons: dict[str, str] = {}
        for one in errors:
            field, reason = _field(one, info), _reason(one)
            reasons[field] = _or(reasons[field], reason) if field in reasons else reason
        first = errors[0]
        key = str(first["loc"][0]) if first["loc"] else None
        reason, value = reasons[_field(first, info)], first.get("input")
        inner = _field(first, info).partition(".")[2]
        described = (
            model.model_fields[key].description if key is not None and key in model.model_fields else None
        )
        if inner and key is not None:
            separator = " " if reason.startswith("has to ") else ": "
            reason, value = f"{inner}{separator}{reason}", info[key]
        elif described:
            reason = f"{reason}. {key}: {described}"
        raise BackendInfoError(name, key, value, reason, reasons) from None


#: In words what pydantic's types of errors mean, with their `ctx`; what is not here is as pydantic says it.
_WORDS = {
    "bool_type": "has to be true or false",
    "dict_type": "has to be a dict",
    "finite_number": "has to be a finite number",
    "float_type": "has to be a number",
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be {ge} or more",
    "int_from_float": "has to be a whole number",
    "int_type": "has to be a whole number",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be {le} or less",
    "list_type": "has to be a list",
    "literal_error": "has to be one of {expected}",
    "string_type": "has to be a text",
}


def _reason(error: Mapping[str, Any]) -> str:
    """What is wrong, within a sentence."""
    if words := _WORDS.get(error["type"]):
        return words.format_map({name: _in_words(value) for name, value in error.get("ctx", {}).items()})
    reason: str = error["msg"].removeprefix("Value error, ").removesuffix(".")
    return reason[:1].lower() + reason[1:]


def _or(first: str, second: str) -> str:
    """What is wrong by two alternatives of a type, as one: "has to be a number, or a text"."""
    start = "has to be "
    known = first.removeprefix(start).split(", or ")
    if not (first.startswith(start) and second.startswith(start)) or second.removeprefix(start) in known:
        return first
    return f"{first}, or {second.removeprefix(start)}"


def _in_words(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(" or ", ", ")  # the values of a Literal
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _field(error: Mapping[str, Any], info: Any) -> str:
    """Where it is wrong, as `"a.b"`; without the names of alternatives that pydantic adds for a union."""
    path: list[str] = []
    value, last = info, len(error["loc"]) - 1
    for depth, part in enumerate(error["loc"]):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        elif depth != last or error["type"] != "missing":
            continue
        path.append(str(part))
    return ".".join(path)


def not_understood(model: type[BackendInfo], info: Mapping[str, Any]) -> list[str]:
    """The keys of `info` that the backend keeps but does not understand, in their order."""
    return [key for key in info if key not in model.model_fields]


#: Keys that other backends understand: nodes may have them for those.
OF_OTHERS = frozenset({"executor", "remote_args", "timeout"})


def warn_of_key(model: type[BackendInfo], backend: str, key: str, count: int) -> None:
    """Warn of a key that a backend does not understand, where the code outside of this package is.

    Args:
        model: What the backend understands.
        backend: The backend, for the text.
        key: The key.
        count: How many nodes have it.
    """
    near = get_close_matches(key, model.model_fields, 1)
    way_out = (
        f"did you mean {near[0]!r}?"
        if near
        else f"it understands {', '.join(map(repr, model.model_fields))}."
    )
    warn(
        f"{backend} does not understand backend_info[{shorten(key)!r}], which "
        f"{'1 node has' if count == 1 else f'{count:,} nodes have'}: {way_out} It is kept, and changes nothing."
    )


DEFAULTS = LocalInfo()
