"""Whether a document out of JSON has the shape it should: a run may come from someone else."""

from __future__ import annotations

from typing import Any

NUMBER = (int, float)


class Many(dict[str, Any]):
    """{"": shape}: any names, each with a value of that shape."""


def require(value: Any, shape: Any, where: str = "it") -> None:
    """`shape` is a type, a tuple of types, [the shape of each], {name: shape}, or any of a set of texts.

    A name that ends in a question mark may be missing.

    Names beyond those of a shape are no fault. Raises TypeError, which names the place, where `value` has another.
    """
    if isinstance(shape, dict):
        _table(value, shape, where)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise TypeError(f"{where} is no list")
        for number, each in enumerate(value):
            require(each, shape[0], f"{where}.{number}")
    else:
        known = isinstance(value, str) and value in shape if isinstance(shape, frozenset) else isinstance(value, shape)
        if not known or (isinstance(value, bool) and shape is not bool):
            raise TypeError(f"{where} is {value!r}")


def _table(value: Any, shape: dict[str, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{where} is no table")
    several = isinstance(shape, Many)
    for key in value if several else shape:
        name = key if several else key.removesuffix("?")
        if name in value:
            require(value[name], shape["" if several else key], name if where == "it" else f"{where}.{name}")
        elif name == key:
            raise TypeError(f"{where} has no {name!r}")
