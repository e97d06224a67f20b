"""The linter of policies: what a schema cannot see, named with its place and what to do about it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from services.notifier.domain.policy import Policies
from services.notifier.policy_file import load_policies
from services.notifier.policy_lint import lint
from services.notifier.policy_schema import policy_schema

TODAY = date(2026, 3, 2)
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
ROOT = Path(__file__).parents[2]


def policies(**changes: Any) -> Policies:
    """The shipped ones, with addresses; `emergency` and so on change a ladder of the default policy."""
    content = load_policies(None).model_dump(by_alias=True)
    addresses = {"mail": "a@clinic.example", "webhook": "https://pager.example/x"}
    content["recipients"] = {"on_call": addresses, "lead_clinician": addresses}
    for name in ("emergency", "urgent", "routine"):
        content["policies"]["default"][name] |= changes.pop(name, {})
    return Policies.model_validate(content | changes)


def found(checked: Policies, today: date = TODAY) -> list[str]:
    return [str(problem) for problem in lint(checked, today, shipped=load_policies(None))]


def steps(*to: str) -> dict[str, Any]:
    return {"steps": [{"to": to, "channels": ["mail"], "acknowledge_within_min": 15}]}


def rota(*shifts: tuple[list[int], str, str], overrides: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    duties = [{"days": days, "start": start, "end": end, "who": ["on_call"]} for days, start, end in shifts]
    return {"timezone": "Europe/Lisbon", "shifts": duties, "overrides": list(overrides)}


def test_a_clinic_with_addresses_has_no_problem() -> None:
    """The shipped chain with two addresses is whole."""
    assert found(policies()) == []


def test_the_shipped_policies_lack_only_the_clinic_s_addresses() -> None:
    """What is shipped has no error; its warnings say what a clinic must fill in."""
    problems = found(load_policies(None))
    assert [problem.partition(":")[0] for problem in problems] == ["warning"] * 3
    assert "recipients.on_call: has no address" in problems[0]
    assert "policies.default.last_resort: lead_clinician has no address of his own" in problems[2]


def test_an_hour_without_anybody_is_named() -> None:
    """A night shift that begins an hour late leaves an hour in which nobody would hear of an emergency."""
    gappy = rota((EVERY_DAY, "08:00", "20:00"), (EVERY_DAY, "21:00", "08:00"))
    problems = found(policies(emergency=steps("watch"), rotas={"watch": gappy}))
    assert len(problems) == 6
    assert problems[0] == (
        "error: policies.default.emergency: nobody of rota watch can be told from Mon 2026-03-02 20:00 to "
        "Mon 2026-03-02 21:00 (Europe/Lisbon). Then only the last resort hears, lead_clinician; fill the rota, or "
        "name a recipient in a step."
    )
    assert "2 more such times" in problems[-1]


def test_a_minute_without_anybody_is_found() -> None:
    """Not only full hours are looked at."""
    gappy = rota((EVERY_DAY, "08:00", "20:07"), (EVERY_DAY, "20:08", "08:00"))
    assert "20:07 to Mon 2026-03-02 20:08" in found(policies(emergency=steps("watch"), rotas={"watch": gappy}))[0]


def test_a_second_step_fills_the_gap_of_the_first() -> None:
    """Somebody within the chain is enough."""
    gappy = rota(([1], "08:00", "20:00"))
    chain = steps("watch")["steps"] + steps("lead_clinician")["steps"]
    assert found(policies(emergency={"steps": chain}, rotas={"watch": gappy})) == []


def test_a_full_rota_is_full_in_the_weeks_in_which_clocks_change() -> None:
    """A doubled and a skipped hour leave no gap."""
    full = rota((EVERY_DAY, "20:00", "01:30"), (EVERY_DAY, "01:30", "20:00"))
    assert found(policies(emergency=steps("watch"), rotas={"watch": full})) == []


def test_two_zones_that_change_clocks_on_different_days_leave_a_gap_that_is_found() -> None:
    """A team in New York takes over from Lisbon without a break, except in the weeks in between."""
    lisbon = rota((EVERY_DAY, "06:00", "20:00"))
    new_york = rota((EVERY_DAY, "15:00", "01:00")) | {"timezone": "America/New_York"}
    problems = found(policies(emergency=steps("east", "west"), rotas={"east": lisbon, "west": new_york}))
    assert "nobody of rotas east, west" in problems[0]
    # New York goes to summer time on 8 March: its evening ends an hour before Lisbon's morning begins.
    assert "from Mon 2026-03-09 05:00 to Mon 2026-03-09 06:00 (Europe/Lisbon)" in " ".join(problems)
    assert not any("2026-03-02" in problem for problem in problems)


def test_an_override_without_anybody_is_a_gap_though_it_lies_months_ahead() -> None:
    """A holiday that nobody has taken over is found in March, not at Christmas."""
    holiday = {"from": "2026-12-24T18:00", "to": "2026-12-26T08:00", "who": []}
    full = rota((EVERY_DAY, "00:00", "00:00"), overrides=(holiday,))
    (problem,) = found(policies(emergency=steps("watch"), rotas={"watch": full}))
    assert "from Thu 2026-12-24 18:00 to Sat 2026-12-26 08:00" in problem


def test_what_is_told_in_working_hours_needs_nobody_at_night() -> None:
    """A routine chain with a day rota is whole; an emergency chain with it is not."""
    day = rota(([1, 2, 3, 4, 5], "00:00", "18:00"))
    assert found(policies(routine=steps("watch"), rotas={"watch": day})) == []
    problems = found(policies(emergency=steps("watch"), rotas={"watch": day}))
    assert problems[0].startswith("error: policies.default.emergency: nobody")


def test_a_chain_whose_people_have_no_address_for_its_channels_reaches_nobody() -> None:
    """A pager's address does not help where only another channel is named."""
    lonely = {"steps": [{"to": ["on_call"], "channels": ["apprise"], "acknowledge_within_min": 15}]}
    problems = found(policies(emergency=lonely))
    assert problems == [
        "error: policies.default.emergency: nobody of the chain has an address for its channels. Give a recipient an "
        "address for a channel of his step."
    ]


def test_a_channel_that_does_not_exist_is_an_error() -> None:
    """A typing error in a channel is found wherever it stands."""
    wrong = {"steps": [{"to": ["on_call"], "channels": ["mial", "mail"], "acknowledge_within_min": 15}]}
    recipients = {"on_call": {"mail": "a@b.example", "pager": "1"}, "lead_clinician": {"mail": "b@b.example"}}
    assert [problem.partition(". ")[0] for problem in found(policies(emergency=wrong, recipients=recipients))] == [
        "error: recipients.on_call.pager: there is no such channel",
        "error: policies.default.emergency.steps.0.channels: there is no channel mial",
    ]


def test_overrides_that_overlap_or_are_past_are_named() -> None:
    """Leftovers in a rota are taken out before they surprise somebody."""
    overrides = (
        {"from": "2026-02-01", "to": "2026-02-02", "who": ["on_call"]},
        {"from": "2026-05-01", "to": "2026-05-03", "who": ["on_call"]},
        {"from": "2026-05-02", "to": "2026-05-04", "who": ["lead_clinician"]},
    )
    full = rota((EVERY_DAY, "00:00", "00:00"), overrides=overrides)
    problems = found(policies(emergency=steps("watch"), rotas={"watch": full, "spare": full}))
    assert problems[:2] == [
        "warning: rotas.watch.overrides.0: ended 2026-02-02. Take it out.",
        "warning: rotas.watch.overrides.2: overlaps overrides.1 and counts instead of it. Let one end where the other "
        "begins.",
    ]
    assert problems[2] == "warning: rotas.spare: no policy names it. Name it in a step, or take it out."


def test_an_emergency_that_is_slower_than_judged_safe_is_named() -> None:
    """A clinic may have its reasons, but not by oversight."""
    slow = {"steps": [{"to": ["on_call"], "channels": ["mail"], "acknowledge_within_min": 120}]}
    problems = found(policies(emergency=slow | {"resolve_within_min": 600}))
    assert ["waits 120 minutes" in problems[0], "open for 600 minutes" in problems[1]] == [True, True]


def test_a_digest_outside_working_hours_is_named() -> None:
    """A digest at midnight is read by nobody."""
    (problem,) = found(policies(routine={"digest": {"at": "23:00"}}))
    assert problem.startswith("warning: policies.default.routine.digest: is told outside working hours")


@pytest.mark.parametrize("partial", [False, True])
def test_the_shipped_policies_fit_the_schema(partial: bool) -> None:
    """Whole, or a clinic's part of it; a typing error in a key does not."""
    text = (ROOT / "services/notifier/policies/default.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    if partial:
        content = {"rotas": {"watch": rota(overrides=({"from": "2026-12-24T18:00", "to": "2026-12-26", "who": []},))}}
    validator = jsonschema.Draft202012Validator(json.loads(policy_schema()))
    validator.validate(content)
    assert list(validator.iter_errors({"rotas": {"watch": {"timezone": "UTC", "shift": []}}}))
