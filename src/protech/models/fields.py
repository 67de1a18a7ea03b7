"""JSON values into frozen dataclasses, checked field by field; it reads model cards."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints


class FieldError(ValueError):
    """A field that is missing or not what it has to be; the message names it."""


def read_fields[Record](
    kind: type[Record], raw: object, where: str, *, inner: type | None = None
) -> Record:
    """Return the dataclass ``kind`` with its fields taken from the JSON object ``raw``.

    Fields that ``kind`` does not have are passed over. ``kind.__post_init__`` may refuse values
    with ``ValueError``. ``inner`` stands for the type parameter of a generic ``kind``.

    Raises:
        FieldError: ``raw`` is no object, or a field is missing or of the wrong type or range.
    """
    if not isinstance(raw, Mapping):
        raise FieldError(f"{where} is not a JSON object")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every caller passes a dataclass
        place = f"{where}.{field.name}"
        if field.name in raw:
            hint = hints[field.name]
            hint = inner if isinstance(hint, TypeVar) else hint
            values[field.name] = _value(hint, raw[field.name], place)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise FieldError(f"{place} is missing")
    try:
        return kind(**values)
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError(f"{where}: {error}") from error


def _value(hint: Any, raw: object, place: str) -> Any:  # noqa: ANN401  # a type and its value
    origin = get_origin(hint)
    if origin is tuple:
        return _sequence(get_args(hint), raw, place)
    if origin in (dict, Mapping):
        return _mapping(get_args(hint)[1], raw, place)
    if isinstance(hint, type) and is_dataclass(hint):
        return read_fields(hint, raw, place)
    return _scalar(hint, raw, place)


def _sequence(inner: tuple[Any, ...], raw: object, place: str) -> tuple[Any, ...]:
    if not isinstance(raw, list | tuple):
        raise FieldError(f"{place} is not a list")
    kinds = inner[:1] * len(raw) if inner[-1] is Ellipsis else inner
    if len(kinds) != len(raw):
        raise FieldError(f"{place} has {len(raw)} entries, not {len(kinds)}")
    return tuple(
        _value(kind, one, f"{place}[{i}]")
        for i, (kind, one) in enumerate(zip(kinds, raw, strict=True))
    )


def _mapping(inner: Any, raw: object, place: str) -> MappingProxyType[str, Any]:  # noqa: ANN401  # a type
    if not isinstance(raw, Mapping):
        raise FieldError(f"{place} is not a JSON object")
    return MappingProxyType(
        {str(name): _value(inner, one, f"{place}.{name}") for name, one in raw.items()}
    )


def _scalar(hint: Any, raw: object, place: str) -> Any:  # noqa: ANN401  # a type and its value
    if hint is object:
        return raw
    if issubclass(hint, StrEnum):
        names = [str(one) for one in hint]
        if raw not in names:
            raise FieldError(f"{place} is not one of {', '.join(names)}")
        return hint(raw)
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        raw = float(raw) if abs(raw) < 2**53 else math.inf
    if not isinstance(raw, hint) or (isinstance(raw, bool) and hint is not bool):
        raise FieldError(f"{place} is not a {hint.__name__}")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise FieldError(f"{place} is not a finite number")
    return raw
