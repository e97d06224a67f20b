"""Red flags: reported, derived from other answers, suspected from free text. Source: evidence §2, contract 5.1, 5.6."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from services.intake.domain.presentation import Presentation
from services.intake.domain.state import Flag
from shared.event.intake import IntakeSubmitted
from shared.event.vocabulary import URGENCIES, Urgency, vocabulary
from shared.protocol.red_flag import Negation, RedFlagRules
from shared.protocol.source import EvidenceId

SOURCES = ("suspected", "derived", "reported")
"""From the weakest to the strongest."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What the questions for red flags brought to light."""

    present: tuple[tuple[str, str], ...]
    """(red flag id, reported or derived), by id."""
    contradicted: tuple[str, ...]
    """Answered absent although other answers imply them."""
    unknown: tuple[str, ...]
    """Not answered, and they could concern this patient; the most urgent first."""
    spared: frozenset[str]
    """Cannot concern this patient."""
    references: tuple[EvidenceId, ...]


def rank(urgency: Urgency) -> int:
    return URGENCIES.index(urgency)


def urgency_of(red_flag_id: str) -> Urgency:
    return vocabulary().red_flags[red_flag_id].urgency


def screen(intake: IntakeSubmitted, presentation: Presentation, rules: RedFlagRules) -> Screen:
    """Every red flag of the vocabulary as present, contradicted, unknown or absent."""
    met = [derivation for derivation in rules.derivations if presentation.meets(derivation.when)]
    derived = {derivation.red_flag_id for derivation in met}
    spared = {rule.red_flag_id for rule in rules.inapplicable if presentation.meets(rule.when)}
    present, contradicted, unknown = [], [], []
    for red_flag_id in vocabulary().red_flags:
        answer = intake.red_flags.get(red_flag_id)
        if answer == "present":
            present.append((red_flag_id, "reported"))
        elif red_flag_id in derived:
            if answer == "absent":
                contradicted.append(red_flag_id)
            else:
                present.append((red_flag_id, "derived"))
        elif red_flag_id not in spared and (
            answer == "unknown" or (answer is None and intake.red_flag_screen == "partial")
        ):
            unknown.append(red_flag_id)
    return Screen(
        present=tuple(sorted(present)),
        contradicted=tuple(sorted(contradicted)),
        unknown=tuple(sorted(unknown, key=lambda flag: -rank(urgency_of(flag)))),
        spared=frozenset(spared),
        references=tuple(sorted({row for derivation in met for row in derivation.source})),
    )


def suspect(notes: str | None, rules: RedFlagRules) -> tuple[str, ...]:
    """Red flags whose phrases occur in free text and are not taken back there. Source: contract 5.6."""
    if not notes:
        return ()
    text = re.sub(r"\bcan not\b", "cannot", notes.lower().replace("’", "'"))
    clauses = _clauses(text, rules.negation)
    worrying = tuple(clause for clause in clauses if not _is_reassuring(clause, rules.negation))
    return tuple(
        sorted(
            {
                suspicion.red_flag_id
                for suspicion in rules.suspicions
                if any(
                    _occurs(phrase, clauses, suspicion.limiting_words, rules.negation) for phrase in suspicion.phrases
                )
                or any(_occurs(subject, worrying, (), rules.negation) for subject in suspicion.subjects)
            }
        )
    )


@dataclass(frozen=True, slots=True)
class _Clause:
    text: str
    swept: bool
    """A sweeping negation earlier in the sentence covers all of it."""


def _clauses(text: str, negation: Negation) -> tuple[_Clause, ...]:
    turning = "|".join(map(re.escape, negation.turning_words))
    clauses: list[_Clause] = []
    for sentence in re.split(rf"[.;:!?\n]+|\b(?:{turning})\b", text):
        swept = False
        for clause in sentence.split(","):
            clauses.append(_Clause(clause, swept))
            swept = swept or any(word in negation.sweeping_words for word in re.findall(r"[\w']+", clause))
    return tuple(clauses)


def _occurs(phrase: str, clauses: Iterable[_Clause], limiting_words: tuple[str, ...], negation: Negation) -> bool:
    pattern = _pattern(phrase)
    for clause in clauses:
        if clause.swept:
            continue
        for hit in pattern.finditer(clause.text):
            before = re.findall(r"[\w']+", clause.text[: hit.start()])
            if any(word in negation.sweeping_words for word in before):
                continue
            if any(word in limiting_words for word in re.findall(r"[\w']+", clause.text[hit.end() :])[:2]):
                continue
            if not any(word in negation.words for word in _reach(before, negation)):
                return True
    return False


def _is_reassuring(clause: _Clause, negation: Negation) -> bool:
    words = re.findall(r"[\w']+", clause.text)
    return any(
        word in negation.reassuring_words
        and not any(near in negation.words for near in _reach(words[:place], negation))
        for place, word in enumerate(words)
    )


def _reach(before: list[str], negation: Negation) -> list[str]:
    """The words before a phrase from which a negation still reaches it."""
    near = before[-negation.reach_words :]
    ends = [index for index, word in enumerate(near) if word in negation.ending_words]
    return near[ends[-1] + 1 :] if ends else near


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    words = [word for word in phrase.split() if word != "..."]
    gaps = [r"(?:[^\w']+[\w']+){0,4}?[^\w']+" if "..." in gap else r"[^\w']+" for gap in _gaps(phrase)]
    parts = [re.escape(word.rstrip("*")) + (r"[\w']*" if word.endswith("*") else r"\b") for word in words]
    joined = parts[0] + "".join(gap + part for gap, part in zip(gaps, parts[1:], strict=True))
    return re.compile(r"\b" + joined)


def _gaps(phrase: str) -> list[str]:
    tokens = phrase.split()
    gaps: list[str] = []
    pending = ""
    for token in tokens[1:]:
        if token == "...":  # noqa: S105  # a token of a phrase, no secret
            pending = token
        else:
            gaps.append(pending)
            pending = ""
    return gaps


def weigh(flag: Flag) -> Urgency:
    """How urgent a flag is as an escalation.

    Words in a text are no answer, so a suspected emergency is urgent: a person decides within that time.
    """
    return "urgent" if flag.source == "suspected" and flag.urgency == "emergency" else flag.urgency


def gather(*groups: Iterable[Flag]) -> tuple[Flag, ...]:
    """Unites red flags by id: the strongest source and the latest time of each stay."""
    united: dict[str, Flag] = {}
    for flag in (flag for group in groups for flag in group):
        known = united.get(flag.red_flag_id)
        if known is None:
            united[flag.red_flag_id] = flag
            continue
        later = max(known, flag, key=lambda f: (f.time, f.intake_id or ""))
        united[flag.red_flag_id] = Flag(
            red_flag_id=flag.red_flag_id,
            urgency=max(known.urgency, flag.urgency, key=rank),
            source=max(known.source, flag.source, key=SOURCES.index),
            time=later.time,
            intake_id=later.intake_id,
        )
    return tuple(united[red_flag_id] for red_flag_id in sorted(united))
