"""An intake goes to FHIR and comes back as it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.event.envelope import Event
from shared.event.intake import IntakeSubmitted
from shared.event.registry import adapter
from shared.event.vocabulary import vocabulary
from shared.fhir.identity import People
from shared.fhir.intake import read_intake
from shared.fhir.questionnaire import CHOICES
from shared.fhir.response import intake_response

KNOWN = vocabulary()
INSTANTS = st.integers(946_800_000_000_000, 4_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
TEXTS = st.text(
    st.characters(categories=("L", "N", "P", "S", "Zs"), include_characters="\n\t"), min_size=1, max_size=40
).filter(lambda text: any(one.isprintable() and not one.isspace() for one in text))
ANSWERS = st.sampled_from(["present", "absent", "unknown"])


@st.composite
def measures(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any values of any instruments, NPRS among them, grouped by instrument in the order of the questionnaire."""
    chosen = draw(st.sets(st.sampled_from(sorted(KNOWN.instruments)), max_size=5)) | {"NPRS"}
    found = []
    for name in (one for one in KNOWN.instruments if one in chosen):
        bounds = KNOWN.instruments[name]
        for value in draw(st.lists(st.floats(bounds.minimum, bounds.maximum), min_size=1, max_size=3)):
            taken = draw(st.none() | INSTANTS)
            found.append({"instrument": name, "value": value} | ({"taken_at": taken.isoformat()} if taken else {}))
    return found


@st.composite
def intakes(draw: st.DrawFn) -> Event[IntakeSubmitted]:
    """Any valid intake whose lists are not empty and whose texts a reader can see."""
    loads = st.lists(st.floats(0.001, 500), min_size=1, max_size=4)
    data = {
        "intake_id": draw(st.from_regex(r"[A-Za-z0-9._/-]{1,60}", fullmatch=True)),
        "age_years": draw(st.integers(0, 120)),
        **{name: draw(st.sampled_from(CHOICES[name])) for name in ("sex", "side", "onset", "red_flag_screen")},
        "duration_weeks": draw(st.floats(0, 6000)),
        "findings": draw(st.dictionaries(st.sampled_from(sorted(KNOWN.findings)), ANSWERS)),
        "red_flags": draw(st.dictionaries(st.sampled_from(sorted(KNOWN.red_flags)), ANSWERS)),
        "modifiers": draw(st.lists(st.sampled_from(sorted(KNOWN.modifiers)), max_size=6)),
        "measures": draw(measures()),
        "activity_goals": draw(st.lists(TEXTS, max_size=10)),
        "sessions_per_week": draw(st.integers(1, 7)),
        "equipment": draw(st.lists(st.sampled_from(CHOICES["equipment"]), min_size=1, max_size=8)),
        "load_steps_kg": draw(st.dictionaries(st.sampled_from(CHOICES["equipment"]), loads)),
    }
    notes = draw(st.none() | TEXTS)
    event = {
        "specversion": "1.0",
        "id": "event-1",
        "source": "//platform.example/app",
        "type": "care.intake.submitted.v1",
        "subject": draw(st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)),
        "time": draw(INSTANTS).isoformat(),
        "data": data | ({"notes": notes} if notes else {}),
    }
    return adapter("care.intake.submitted.v1").validate_python(event, strict=False)


@settings(deadline=None)
@given(intakes())
def test_an_intake_survives_the_way_to_fhir_and_back(event: Event[IntakeSubmitted]) -> None:
    """A questionnaire filled in from an intake says neither more nor less than the intake."""
    raw = intake_response(event, People(event.subject)).model_dump_json().encode()
    imported = read_intake(raw)
    assert imported.notices == ()
    assert imported.event.data == event.data
    assert (imported.event.subject, imported.event.time) == (event.subject, event.time)
    assert read_intake(raw).event.id == imported.event.id
