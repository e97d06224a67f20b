"""What differs between two folders of protocol files, value by value. Comments and layout do not count."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.protocol.document import Document, Place, is_row, read_folder, words

Kind = Literal["changed", "added", "removed"]

_IDENTITIES = (
    "phase_id",
    "exercise_id",
    "goal_id",
    "option_id",
    "mix_id",
    "group",
    "route",
    "instrument",
    "statement",
    "because",
    "what",
    "week",
    "missed_days",
    "findings",
    "tag",
)
"""Keys by which the items of a list are known again when others come before them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs. `path` names items of a list by their id where they have one."""

    file: str
    path: str
    """Empty: the whole file."""
    kind: Kind
    old: Any
    new: Any
    mark: str | None = None
    """Of the new value; of the old one where it was removed."""
    source: tuple[str, ...] = ()
    signed_before: str | None = None
    """A signature that was given for the old value and still stands: it must be given again."""


def compare(old: Path, new: Path) -> tuple[Difference, ...]:
    """By file and path. Raises ProtocolError where a folder or file cannot be read."""
    before, after = read_folder(old), read_folder(new)
    found: list[Difference] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(Difference(name, "", "removed", _identity(before[name]), None))
        elif name not in before:
            found.append(Difference(name, "", "added", None, _identity(after[name])))
        else:
            one, other = before[name].content, after[name].content
            found.extend(_compare(name, (), one, other, _Context(one, other)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Context:
    """The innermost objects that name their sources."""

    old: Any
    new: Any

    def within(self, old: Any, new: Any) -> "_Context":
        return _Context(old if is_row(old) else self.old, new if is_row(new) else self.new)


def _identity(document: Document) -> str:
    content = document.content
    return " ".join(str(content[key]) for key in ("condition_id", "version") if key in content) or document.name


def _compare(file: str, place: Place, old: Any, new: Any, context: _Context) -> Iterator[Difference]:
    context = context.within(old, new)
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _parts(file, place, old, new, context)
    elif isinstance(old, list) and isinstance(new, list):
        one, other = _by_identity(old, new)
        if one is None or other is None:
            if old != new:
                yield _difference(file, place, "changed", old, new, context)
        else:
            yield from _parts(file, place, one, other, context)
            if list(one) != list(other) and one.keys() == other.keys():
                yield _difference(file, (*place, "order"), "changed", list(one), list(other), context)
    elif not _is_same(old, new):
        yield _difference(file, place, "changed", old, new, context)


def _parts(
    file: str, place: Place, old: Mapping[Any, Any], new: Mapping[Any, Any], context: _Context
) -> Iterator[Difference]:
    for key in dict.fromkeys((*old, *new)):
        inner = (*place, key)
        if key not in new:
            yield _difference(file, inner, "removed", old[key], None, context.within(old[key], None))
        elif key not in old:
            yield _difference(file, inner, "added", None, new[key], context.within(None, new[key]))
        else:
            yield from _compare(file, inner, old[key], new[key], context)


def _by_identity(old: list[Any], new: list[Any]) -> tuple[dict[Any, Any] | None, dict[Any, Any] | None]:
    """Both lists by the first key that tells all their items apart; by position where they are objects without one."""
    items = [*old, *new]
    if not items or not all(isinstance(item, dict) for item in items):
        return None, None
    for key in _IDENTITIES:
        if all(key in item for item in items):
            one, other = ({_words(item[key]): item for item in some} for some in (old, new))
            if len(one) == len(old) and len(other) == len(new):
                return one, other
    return dict(enumerate(old)), dict(enumerate(new))


def _words(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _difference(file: str, place: Place, kind: Kind, old: Any, new: Any, context: _Context) -> Difference:
    shown = context.old if kind == "removed" else context.new
    row = shown if is_row(shown) else {}
    signature = row.get("signed_by") if kind == "changed" and place[-1] not in ("signed_by", "source", "mark") else None
    before = context.old.get("signed_by") if isinstance(context.old, dict) else None
    source = row.get("source", ())
    return Difference(
        file=file,
        path=words(place),
        kind=kind,
        old=old,
        new=new,
        mark=row.get("mark"),
        source=tuple(map(str, source)) if isinstance(source, list) else (),
        signed_before=signature if signature is not None and signature == before else None,
    )


def _is_same(old: Any, new: Any) -> bool:
    """1 and 1.0 are one number; 1 and true are not the same."""
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)
