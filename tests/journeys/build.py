"""Writes the shipped journeys anew: `python -m tests.journeys.build [JOURNEY …]`.

An obedient patient does what the services prescribe at that moment, so the files follow the protocols:
a changed protocol changes what is prescribed, and a test says that the files are stale.
"""

import json
import sys

from shared.journey.library import shipped_folder
from shared.stream.pure_pipeline import PurePipeline
from tests.journeys.case import Case
from tests.journeys.cases import CASES
from tests.journeys.patient import START, live
from tests.support.four_services import four_services_pipeline

CLOSING = {
    "discharge": "On the last day of the record a clinician discharges the patient; the wording is ours.",
    "refer": "On the last day of the record a clinician refers the patient; the wording is ours.",
}
CONSENTED = "The patient consents to reminders, which go to the log."


def new_pipeline(*, coarse: bool = False) -> PurePipeline:
    """The four services in memory, at the instant where every journey starts."""
    return four_services_pipeline(START, coarse=coarse)


def written(case: Case) -> bytes:
    """A journey's file."""
    return b"".join(line + b"\n" for line in (_head(case), *live(case, new_pipeline())))


def _head(case: Case) -> bytes:
    return json.dumps(
        {
            "journey": case.journey,
            "title": case.title,
            "patient": case.patient_id,
            "intake_id": case.intake_id,
            "program_id": case.program_id,
            "references": list(case.references),
            "published": list(case.published),
            "interpolated": [*case.interpolated, *([CLOSING[case.closing]] if case.weeks else [])],
            "assumed": [*case.assumed, *([CONSENTED] if case.weeks else [])],
            "expected": case.expected.head(),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def main(wanted: list[str]) -> None:
    """Writes the named journeys, or all."""
    for case in CASES:
        if not wanted or case.journey in wanted:
            (shipped_folder() / f"{case.journey}.jsonl").write_bytes(written(case))


if __name__ == "__main__":
    main(sys.argv[1:])
