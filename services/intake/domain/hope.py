"""Whether what is unknown could still make a condition primary."""

from collections.abc import Mapping

from services.intake.domain.presentation import Presentation
from services.intake.domain.probability import DECIMALS, Weighed, weigh
from shared.event.intake import Answer
from shared.protocol.library import Protocols

Hope = Mapping[str, tuple[Presentation, Weighed]]
"""For each condition the patient with the most favourable answers to all that is unknown, weighed."""


def hope_for(protocols: Protocols, presentation: Presentation) -> Hope:
    """Answers all that is unknown in favour of each condition in turn."""
    hoped = {}
    for condition_id, protocol in protocols.conditions.items():
        favour = {f: a for f, a in protocol.recognition.favourable.items() if f not in presentation.answers}
        best = presentation.answered(favour)
        hoped[condition_id] = best, weigh(protocol.recognition, best, protocols.screening.caps)
    return hoped


def could_be_primary(hope: Hope, answers: Mapping[str, Answer], protocols: Protocols) -> bool:
    """Whether some condition could reach the threshold, these further findings being answered so."""
    caps, bands = protocols.screening.caps, protocols.screening.bands
    for best, weighed in hope.values():
        changed = [f for f in answers if f in weighed.weighing.mentions]
        turned = weighed.answered(best.answered(answers), changed, caps) if changed else weighed
        if round(turned.probability, DECIMALS) >= bands.primary_at_least:
            return True
    return False
