"""Whether one JSON Schema takes everything that another takes: the subset of JSON Schema that pydantic writes.

Two changes of direction matter. What producers send (inputs) was valid and must stay so: the old schema must fit
into the new one. What consumers read (outputs) was promised and must hold: the new schema must fit into the old.
Fields may always be added, since readers ignore what they do not know.

A keyword that this comparison does not know and that changes is a breakage, too: it is never overlooked. No library
that was looked at says where and what: the living ones answer yes or no, and know nothing of a growing vocabulary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Schema = Mapping[str, Any]
Role = Literal["input", "output"]

_BOUNDS = {"minimum": 1, "exclusiveMinimum": 1, "maximum": -1, "exclusiveMaximum": -1}
_COUNTS = {
    "minLength": (1, 0.0),
    "minItems": (1, 0.0),
    "minProperties": (1, 0.0),
    "maxLength": (-1, float("inf")),
    "maxItems": (-1, float("inf")),
    "maxProperties": (-1, float("inf")),
}
_STRUCTURE = {
    "type",
    "enum",
    "const",
    "anyOf",
    "$ref",
    "$defs",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "propertyNames",
    "patternProperties",
}
_TEXTS = ("pattern", "format")
_NOTES = {"title", "description", "default", "examples", "$schema", "deprecated"}
_KNOWN = _STRUCTURE | _NOTES | set(_BOUNDS) | set(_COUNTS) | set(_TEXTS)


@dataclass(frozen=True, slots=True)
class Change:
    """Something at a place. `what` says it in the past and present of the schemas."""

    path: str
    what: str


@dataclass(frozen=True)
class Comparison:
    """An old and a new schema of one event type. `is_vocabulary`: both enumerations list ids that may grow."""

    old: Schema
    new: Schema
    role: Role
    is_vocabulary: Callable[[Sequence[Any], Sequence[Any]], bool] = lambda old, new: False

    def breakages(self) -> list[Change]:
        """All of them, in the order of the old schema."""
        return list(dict.fromkeys(self._compare(self.old, self.new, "$", ())))

    def _compare(self, old: Schema, new: Schema, path: str, seen: tuple[tuple[str, str], ...]) -> Iterator[Change]:
        step = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(step):
            if step in seen:
                return
            seen = (*seen, step)
        old, new = self._resolved(self.old, old), self._resolved(self.new, new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._branches(old, new, path, seen)
        else:
            yield from self._plain(old, new, path, seen)
        if self.role == "input" and "default" in old and "default" in new and old["default"] != new["default"]:
            was, now = old["default"], new["default"]
            yield Change(path, f"the default was {was!r} and is {now!r}, so that leaving it out means something else")

    def _branches(self, old: Schema, new: Schema, path: str, seen: tuple[tuple[str, str], ...]) -> Iterator[Change]:
        """Each alternative of the side that must fit has one on the other side that takes it."""
        olds, news = _alternatives(old), _alternatives(new)
        inner, outer = (olds, news) if self.role == "input" else (news, olds)
        for one in inner:
            tries = []
            for other in outer:
                before, after = (one, other) if self.role == "input" else (other, one)
                is_alike = self._types(self.old, before) == self._types(self.new, after)
                tries.append((is_alike, list(self._compare(before, after, path, seen))))
            if any(not found for _, found in tries):
                continue
            alike = [found for is_alike, found in tries if is_alike]
            if alike:
                yield from min(alike, key=len)
                continue
            name = _named(self._resolved(self.old if self.role == "input" else self.new, one))
            yield Change(
                path, f"{name} {'was allowed and is not' if self.role == 'input' else 'is possible and was not'}"
            )

    def _plain(self, old: Schema, new: Schema, path: str, seen: tuple[tuple[str, str], ...]) -> Iterator[Change]:
        inner, outer = (old, new) if self.role == "input" else (new, old)
        if not _fits_type(inner, outer):
            yield Change(path, f"was {_named(old)} and is {_named(new)}")
            return
        yield from self._values(old, new, path)
        yield from _limits(inner, outer, old, new, path)
        for keyword in _TEXTS:
            if keyword in outer and inner.get(keyword) != outer[keyword]:
                yield Change(path, f"`{keyword}` was {old.get(keyword, 'free')!r} and is {new.get(keyword, 'free')!r}")
        for keyword in sorted((old.keys() | new.keys()) - _KNOWN):
            if old.get(keyword) != new.get(keyword):
                yield Change(path, f"`{keyword}` changes, which this check cannot judge")
        yield from self._object(old, new, path, seen)
        yield from self._open_object(old, new, path, seen)
        if "items" in old or "items" in new:
            yield from self._compare(old.get("items", {}), new.get("items", {}), f"{path}[*]", seen)

    def _values(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        olds, news = _enumerated(old), _enumerated(new)
        if olds is not None and news is not None and self.is_vocabulary(olds, news):
            return
        inner, outer = (olds, news) if self.role == "input" else (news, olds)
        if outer is None:
            return
        if inner is None:
            yield Change(path, "was free and is an enumeration" if self.role == "input" else "is no longer enumerated")
            return
        extra = [value for value in inner if value not in outer]
        if extra:
            told = ", ".join(repr(value) for value in extra)
            yield Change(path, f"{told} {'was allowed and is not' if self.role == 'input' else 'is new'}")

    def _object(self, old: Schema, new: Schema, path: str, seen: tuple[tuple[str, str], ...]) -> Iterator[Change]:
        olds, news = old.get("properties", {}), new.get("properties", {})
        required, now_required = set(old.get("required", ())), set(new.get("required", ()))
        for name, one in olds.items():
            place = f"{path}.{name}"
            if name not in news:
                yield Change(place, "is gone")
                continue
            if self.role == "input" and name in now_required - required:
                yield Change(place, "is required and was not")
            if self.role == "output" and name in required - now_required:
                yield Change(place, "was always there and may now be missing")
            yield from self._compare(one, news[name], place, seen)
        if self.role == "input":
            for name in sorted(now_required - olds.keys()):
                yield Change(f"{path}.{name}", "is new and required")

    def _open_object(self, old: Schema, new: Schema, path: str, seen: tuple[tuple[str, str], ...]) -> Iterator[Change]:
        """Objects used as maps: the schema of their values, and of their keys."""
        if "additionalProperties" in old or "additionalProperties" in new:
            yield from self._compare(_value(old), _value(new), f"{path}.*", seen)
        if "propertyNames" in old or "propertyNames" in new:
            names = {"type": "string"}
            before, after = names | dict(old.get("propertyNames", {})), names | dict(new.get("propertyNames", {}))
            yield from self._compare(before, after, f"{path}.* (the key)", seen)
        olds, news = old.get("patternProperties", {}), new.get("patternProperties", {})
        if olds.keys() != news.keys():
            yield Change(f"{path}.* (the key)", f"the pattern was {[*olds] or 'free'} and is {[*news] or 'free'}")
            return
        for pattern, one in olds.items():
            yield from self._compare(one, news[pattern], f"{path}.*", seen)

    def _types(self, root: Schema, schema: Schema) -> frozenset[str]:
        return _types(self._resolved(root, schema))

    @staticmethod
    def _resolved(root: Schema, schema: Schema) -> Schema:
        """The schema that a reference means, with what stands beside the reference."""
        while "$ref" in schema:
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")] | beside
        return schema


def _alternatives(schema: Schema) -> Sequence[Schema]:
    if "anyOf" in schema:
        return schema["anyOf"]  # type: ignore[no-any-return]  # JSON
    return [{name: value for name, value in schema.items() if name != "default"}]


def _types(schema: Schema) -> frozenset[str]:
    """The JSON types that it takes; none where it takes all."""
    kind = schema.get("type")
    if kind is None:
        values = _enumerated(schema)
        return frozenset() if values is None else frozenset(_type_of(value) for value in values)
    return frozenset([kind] if isinstance(kind, str) else kind)


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object")


def _fits_type(inner: Schema, outer: Schema) -> bool:
    takes = _types(outer)
    given = _types(inner)
    if not takes:
        return True
    return bool(given) and all(one in takes or (one == "integer" and "number" in takes) for one in given)


def _named(schema: Schema) -> str:
    return " or ".join(sorted(_types(schema))) or "anything"


def _enumerated(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return None if values is None else list(values)


def _value(schema: Schema) -> Schema:
    """What a map's values are. Without a word of it: anything."""
    value = schema.get("additionalProperties", True)
    if isinstance(value, bool):
        return {} if value else {"enum": []}
    return value  # type: ignore[no-any-return]  # JSON


def _limits(inner: Schema, outer: Schema, old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """Bounds of numbers, lengths and counts."""
    for sign, names in ((1, ("minimum", "exclusiveMinimum")), (-1, ("maximum", "exclusiveMaximum"))):
        if _edge(inner, names, sign) < _edge(outer, names, sign):
            yield Change(path, f"`{names[0]}` was {_shown(old, names)} and is {_shown(new, names)}")
    for name, (sign, unset) in _COUNTS.items():
        if sign * inner.get(name, unset) < sign * outer.get(name, unset):
            yield Change(path, f"`{name}` was {old.get(name, 'free')} and is {new.get(name, 'free')}")


def _edge(schema: Schema, names: tuple[str, str], sign: int) -> tuple[float, bool]:
    """How tight: greater is tighter, exclusive is tighter than inclusive."""
    edges = [(sign * float(schema[name]), name.startswith("exclusive")) for name in names if name in schema]
    return max(edges, default=(float("-inf"), False))


def _shown(schema: Schema, names: tuple[str, str]) -> str:
    return ", ".join(f"{name} {schema[name]:g}" for name in names if name in schema) or "free"
