"""What waits for an endpoint, over random histories: in order for each patient, and nothing is passed over."""

import hypothesis.strategies as st
from hypothesis import given

from services.notifier.webhook.backlog import Backlog, Item
from shared.event.wire import Stream
from shared.stream.webhook.feed import parts

STREAMS = (Stream.ADJUSTMENTS, Stream.ESCALATIONS)
EVENTS = st.lists(
    st.tuples(st.sampled_from(STREAMS), st.integers(0, 4), st.booleans(), st.booleans()), min_size=1, max_size=40
)
"""Stream, patient, whether it is an emergency, whether it need not be sent."""
ACTS = st.lists(st.sampled_from(("take", "finish", "give back", "not tried", "rest")), max_size=120)


def item(number: int, stream: Stream, patient: int, is_urgent: bool) -> Item:
    return Item(stream, f"{number}-0", f"patient-{patient}", f"event-{number}", "a.type", is_urgent)


@given(EVENTS, ACTS)
def test_each_patient_s_events_go_in_order_and_a_restart_repeats_none(
    events: list[tuple[Stream, int, bool, bool]], acts: list[str]
) -> None:
    """Whatever is refused, put off or finished in whatever order: what is recorded says exactly what is done."""
    backlog = Backlog()
    wanted = {}
    for number, (stream, patient, is_urgent, is_unwanted) in enumerate(events, 1):
        if is_unwanted:
            backlog.pass_over(stream, f"{number}-0")
        else:
            wanted[number] = item(number, stream, patient, is_urgent)
            backlog.add(wanted[number])
    cursors, ahead = dict.fromkeys(STREAMS, "0-0"), set[str]()
    on_their_way: list[Item] = []
    sent: list[Item] = []
    now_s = 0.0

    def finish(one: Item) -> None:
        moved = backlog.finish(one)
        sent.append(one)
        cursors.update(moved.cursors)
        ahead.update(moved.ahead)
        ahead.difference_update(moved.passed)
        for other in wanted.values():  # what a restart would read
            is_recorded = parts(other.entry_id) <= parts(cursors[other.stream]) or other.member in ahead
            assert is_recorded == (other in sent)

    cursors.update(backlog.moved().cursors)
    for act in [*acts, *["take", "finish"] * (2 * len(events))]:
        now_s += 1.0
        if act == "take":
            if (taken := backlog.take(now_s)) is not None:
                assert taken.patient not in {one.patient for one in on_their_way}
                on_their_way.append(taken)
        elif on_their_way:
            one = on_their_way.pop(0)
            if act == "finish":
                finish(one)
            else:
                rest_until_s = now_s + 3 if act == "rest" else 0.0
                backlog.put_back(one, first=act == "not tried", rest_until_s=rest_until_s)
    while on_their_way:
        finish(on_their_way.pop())
    while (last := backlog.take(now_s + 100)) is not None:
        finish(last)
    assert sorted(int(one.event_id.removeprefix("event-")) for one in sent) == sorted(wanted)
    for patient in range(5):
        mine = [one for one in sent if one.patient == f"patient-{patient}"]
        assert mine == sorted(mine, key=lambda one: parts(one.entry_id))
    assert not ahead
    assert backlog.size == backlog.span == 0
    assert backlog.oldest_ms() is None


def test_a_patient_with_an_emergency_comes_first() -> None:
    """With what was published before it, whatever others wait for."""
    backlog = Backlog()
    for number in range(1, 100):
        backlog.add(item(number, Stream.ADJUSTMENTS, number % 4, False))
    backlog.add(item(100, Stream.ADJUSTMENTS, 4, False))
    busy = backlog.take(0.0)
    assert busy is not None
    assert busy.patient == "patient-1"
    backlog.add(item(101, Stream.ESCALATIONS, 4, True))
    backlog.add(item(102, Stream.ADJUSTMENTS, 4, False))
    order = []
    for _ in range(3):
        taken = backlog.take(0.0)
        assert taken is not None
        order.append(taken.event_id)
        backlog.finish(taken)
    assert order[:2] == ["event-100", "event-101"]
    assert order[2] != "event-102"
