"""What `protocols diff` calls a difference, and what it does not."""

from pathlib import Path

import pytest

from shared.protocol.difference import Difference, compare
from shared.protocol.library import ProtocolError, shipped_folder
from tests.support.protocol_folder import change, copy_of_shipped

GT = "conditions/gluteal_tendinopathy.yaml"
PRIOR = "source: [PRIOR], mark: judgement"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_of_shipped(tmp_path / "protocols")


def only(old: Path, new: Path) -> Difference:
    (found,) = compare(old, new)
    return found


def test_equal_folders_do_not_differ(folder: Path) -> None:
    """A copy is no change."""
    assert compare(shipped_folder(), folder) == ()


def test_comments_order_of_keys_and_layout_are_no_difference(folder: Path) -> None:
    """Only values count: a file may be tidied without a review of its content."""
    change(
        folder,
        GT,
        "version: 1.0.0\nname: Gluteal tendinopathy",
        "name: 'Gluteal tendinopathy' # tidied\nversion: 1.0.0",
    )
    change(folder, "progression.yaml", "per_session: 0.10", "per_session: 0.1")
    assert compare(shipped_folder(), folder) == ()


def test_a_changed_number_is_told_with_its_mark_and_source(folder: Path) -> None:
    """A reviewer sees at once how certain the new number is."""
    change(folder, "progression.yaml", "per_session: 0.10", "per_session: 0.05")
    found = only(shipped_folder(), folder)
    assert (found.file, found.path, found.kind) == ("progression.yaml", "cap.per_session", "changed")
    assert (found.old, found.new) == (0.1, 0.05)
    assert (found.mark, found.source) == ("judgement", ("P11",))


def test_an_item_of_a_list_is_named_by_its_id(folder: Path) -> None:
    """`phases.GT1` says more than the first phase, and one put before it changes nothing for it."""
    change(folder, GT, "      name: Familiarise", "      name: Get to know it")
    assert only(shipped_folder(), folder).path == "program.phases.GT1.name"


def test_an_exercise_put_first_is_added_and_the_others_stay(folder: Path) -> None:
    """What only moved is not listed as changed."""
    line = "        - {exercise_id: supine_static_abduction, essential: true, sets: 1, reps: {low: 3, high: 5}"
    new = (
        "        - {exercise_id: walk_or_cycle, sets: 1, reps: {low: 1, high: 1}, rpe: {low: 2, high: 3}, "
        "days_per_week: 7, source: [EX31], mark: judgement}\n"
    )
    change(folder, GT, line, new + line)
    found = only(shipped_folder(), folder)
    assert (found.path, found.kind) == ("program.phases.GT1.exercises.walk_or_cycle", "added")
    assert (found.mark, found.source) == ("judgement", ("EX31",))


def test_the_order_of_a_list_is_a_difference(folder: Path) -> None:
    """Exercises are chosen in their order, so a changed order is a changed plan."""
    change(folder, "mixes.yaml", "  - mix_id: M5", "  - mix_id: M0X")
    text = (folder / "mixes.yaml").read_text(encoding="utf-8").replace("M0X", "M5")
    head, _, rest = text.partition("mixes:\n")
    first, *others = rest.split("  - mix_id:")[1:]
    (folder / "mixes.yaml").write_text(
        head + "mixes:\n" + "".join(f"  - mix_id:{one}" for one in (*others, first)), encoding="utf-8"
    )
    found = only(shipped_folder(), folder)
    assert (found.path, found.kind) == ("mixes.order", "changed")
    assert found.old[0] == "M1"


def test_added_and_removed_files_are_told_whole(folder: Path) -> None:
    """A new condition is one line, not a thousand."""
    (folder / GT).rename(folder / "conditions" / "renamed.yaml")
    found = compare(shipped_folder(), folder)
    assert [(one.file, one.kind, one.old, one.new) for one in found] == [
        (GT, "removed", "gluteal_tendinopathy 1.0.0", None),
        ("conditions/renamed.yaml", "added", None, "gluteal_tendinopathy 1.0.0"),
    ]


def test_a_signature_is_a_difference(folder: Path) -> None:
    """A reviewer sees who signed what."""
    change(folder, GT, PRIOR, f"{PRIOR}, signed_by: 'Dr A. Example, 2026-05-31'")
    found = only(shipped_folder(), folder)
    assert (found.path, found.new) == ("recognition.prior.signed_by", "Dr A. Example, 2026-05-31")


def test_a_value_changed_after_its_signature_is_told(tmp_path: Path, folder: Path) -> None:
    """A signature holds for what was signed: it must be given again."""
    change(folder, GT, PRIOR, f"{PRIOR}, signed_by: 'Dr A. Example, 2026-05-31'")
    newer = tmp_path / "newer"
    copy_of_shipped(newer)
    change(
        newer,
        GT,
        f"prior: {{value: 0.20, {PRIOR}",
        f"prior: {{value: 0.25, {PRIOR}, signed_by: 'Dr A. Example, 2026-05-31'",
    )
    assert only(folder, newer).signed_before == "Dr A. Example, 2026-05-31"


def test_a_folder_that_does_not_exist_is_one_clear_line(tmp_path: Path) -> None:
    """A typing error in a path is not a folder of removed files."""
    with pytest.raises(ProtocolError, match="is no folder of protocol files"):
        compare(shipped_folder(), tmp_path / "nowhere")
