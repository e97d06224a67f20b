"""Whether a new vocabulary keeps what the old one promised: ids stay, and an instrument's range is not narrowed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.release.breakage import PRODUCERS, Breakage

KINDS = ("findings", "red_flags", "symptoms", "modifiers", "instruments", "exercises", "conditions")
_KEEP = "keep the id, also where no protocol uses it any more: reports and records name it"


def ids_of(vocabulary: Mapping[str, Any], kind: str) -> list[str]:
    """In the order of the file."""
    return [one if isinstance(one, str) else one["id"] for one in vocabulary.get(kind, ())]


def vocabulary_breakages(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Breakage]:
    """Of `vocabulary.json`, as it was released and as it is."""
    for kind in KINDS:
        left = set(ids_of(new, kind))
        for gone in (one for one in ids_of(old, kind) if one not in left):
            yield Breakage(f"vocabulary {kind}", gone, f"the id is gone: {PRODUCERS}", _KEEP)
    instruments = {one["id"]: one for one in new["instruments"]}
    for was in old["instruments"]:
        now = instruments.get(was["id"])
        if now is not None and (now["minimum"] > was["minimum"] or now["maximum"] < was["maximum"]):
            span = f"the range was {was['minimum']} to {was['maximum']} and is {now['minimum']} to {now['maximum']}"
            yield Breakage("vocabulary instruments", was["id"], f"{span}: {PRODUCERS}", "give the new form another id")


def lists_ids(old: Mapping[str, Any], new: Mapping[str, Any], olds: Sequence[Any], news: Sequence[Any]) -> bool:
    """Both enumerations are the same kind's whole list of ids, each in its own vocabulary."""
    return any(
        set(olds) == set(ids_of(old, kind)) and set(news) == set(ids_of(new, kind)) for kind in KINDS if olds and news
    )
