"""Red flags: which facts imply them, whom they cannot concern, which phrases make them suspected."""

from functools import cached_property
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.event.vocabulary import RedFlagId
from shared.protocol.presentation import Presents
from shared.protocol.source import Record, Sourced

Phrase = Annotated[str, StringConstraints(pattern=r"^[a-z0-9' .*]+$", min_length=3, max_length=80)]
"""Lower-case words; `*` ends a word in any way, ` ... ` stands for up to four words between."""


class Derivation(Sourced):
    """Facts that imply a red flag though nobody ticked it."""

    red_flag_id: RedFlagId
    when: Presents


class Inapplicable(Sourced):
    """Patients whom a red flag cannot concern: it counts as absent unless it is reported."""

    red_flag_id: RedFlagId
    when: Presents


class SuspectPhrases(Sourced):
    """Words in free text that make a red flag suspected."""

    red_flag_id: RedFlagId
    phrases: Annotated[tuple[Phrase, ...], Field(min_length=1)]
    subjects: tuple[Phrase, ...] = ()
    """To name one of these is enough, unless its clause denies it or is reassuring."""
    limiting_words: tuple[str, ...] = ()
    """One of these within two words after a phrase takes it back, as in "cannot walk far"."""


class Negation(Sourced):
    """How a phrase is taken back."""

    words: tuple[str, ...]
    """Negate what follows in the same clause, within `reach_words`."""
    reach_words: Annotated[int, Field(ge=1, le=20)]
    ending_words: tuple[str, ...]
    """End a negation's reach: "no appetite and fever" does not deny the fever."""
    sweeping_words: tuple[str, ...]
    """Negate a whole list up to the end of the sentence, as in "denies fever, chills and weight loss"."""
    reassuring_words: tuple[str, ...]
    """Take back a subject named in the same clause, as in "the bladder is fine"."""
    turning_words: tuple[str, ...]
    """End any negation, as in "no fever but sweats"."""


class RedFlagRules(Record):
    """Everything about red flags beside their labels and urgencies, which are the vocabulary's."""

    derivations: tuple[Derivation, ...]
    inapplicable: tuple[Inapplicable, ...]
    suspicions: tuple[SuspectPhrases, ...]
    negation: Negation

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every finding that decides whether a flag is present or can concern a patient."""
        conditions = (*(rule.when for rule in self.derivations), *(rule.when for rule in self.inapplicable))
        return frozenset(finding for when in conditions for finding in when.mentions)
