"""Pseudonyms: the same for the same person, and no way back without the key."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from shared.event.wire import PatientId
from shared.pseudonym import PseudonymError, derive_pseudonym, may_identify, read_key, write_key

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))


def test_a_pseudonym_is_a_patient_id_of_the_contract_and_holds_nothing_of_the_identifier() -> None:
    """A platform can use it as it is."""
    found = derive_pseudonym(KEY, "MRN 0012345, Müller")
    assert TypeAdapter(PatientId).validate_python(found) == found
    assert re.fullmatch(r"[0-9a-f]{4}-[a-z2-7]{26}", found)
    assert "12345" not in found


def test_the_same_identifier_always_gives_the_same_pseudonym() -> None:
    """Known for ever: another version that derived another would lose every patient. Spaces and forms do not count."""
    assert derive_pseudonym(KEY, "MRN-1") == "24ed-tlh4u3f34rkya7kah36k7c7p6a"
    assert derive_pseudonym(KEY, "Mu\u0308ller") == derive_pseudonym(KEY, " M\u00fcller\n")


def test_another_key_or_identifier_gives_another_pseudonym_and_a_key_is_recognised() -> None:
    """The first digits tell which key was used, for the time when there are two."""
    first, second, third = derive_pseudonym(KEY, "1"), derive_pseudonym(KEY, "2"), derive_pseudonym(OTHER, "1")
    assert len({first, second, third}) == 3
    assert first[:4] == second[:4] != third[:4]


def test_a_key_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    """Neither overwritten nor read where others could have taken it."""
    path = tmp_path / "key"
    write_key(path)
    assert len(read_key(path)) == 32
    with pytest.raises(PseudonymError, match="exists"):
        write_key(path)
    path.chmod(0o644)
    with pytest.raises(PseudonymError, match="chmod 600"):
        read_key(path)


@pytest.mark.parametrize("content", ["", "short", "!" * 60, "c2hvcnQ="])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    """A wrong file gives no pseudonyms that nobody could derive again."""
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(PseudonymError, match="holds no key") as caught:
        read_key(path)
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize(
    ("patient", "may"),
    [
        ("0012345", True),
        ("Ada.Lovelace", True),
        ("al-1979-12-31", True),
        ("AL19791231", True),
        ("patient-1", False),
        ("24ed-tlh4u3f34rkya7kah36k7c7p6a", False),
        ("3f2b8c1e-9d4a-4c0b-8f6e-2a7d5e1c9b30", False),
    ],
)
def test_ids_that_look_like_a_number_a_birthday_or_a_name_are_noticed(patient: str, may: bool) -> None:
    """A hint for whoever connects a platform; nothing is rejected for it."""
    assert may_identify(patient) is may
