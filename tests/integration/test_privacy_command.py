"""`adaptive-care privacy`: all that is held of a patient, and letting go of it, with the real services."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.event.wire import Stream
from shared.stream.audit import Audit
from tests.integration.test_erasure_pipeline import ANNA, ANNAS, BERTHA, BERTHAS, STREAMS, cared_for
from tests.support.example import wire
from tests.support.four_services import NAMES
from tests.support.key_scan import keys_that_name
from tests.support.rich_history import rich_history
from tests.support.running import environment_for, move_clock, publish, until_idle


async def privacy(redis_url: str, folder: Path, *arguments: str, group: str = "privacy") -> tuple[int, str]:
    """The real command. Returns its status and all that it printed."""
    environment = environment_for(folder, CARE_REDIS_URL=redis_url, CARE_CLOCK="replay")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shared.cli.main",
        group,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.slow
async def test_export_erasure_and_expiry_of_a_patient_with_a_rich_history(redis_url: str, tmp_path: Path) -> None:
    """The export names every key that a scan finds, and nobody else; the old go, and those in care stay."""
    told = [*rich_history(ANNA, ANNAS), *rich_history(BERTHA, BERTHAS)]
    file = tmp_path / "anna.json"
    async with cared_for(redis_url, told) as (client, now):
        status, output = await privacy(redis_url, tmp_path, "export", ANNA, "--output", str(file))
        assert (status, file.stat().st_mode & 0o777) == (0, 0o600), output
        again = tmp_path / "again.json"
        status, output = await privacy(redis_url, tmp_path, "export", ANNA, "--output", str(again))
        document = json.loads(await asyncio.to_thread(again.read_text))
        assert_complete(document, await keys_that_name(client, [ANNA, ANNAS]))
        status, output = await privacy(redis_url, tmp_path, "export", ANNA, "--output", str(again))
        assert (status, output) == (1, f"adaptive-care: {again} exists\n")
        status, output = await privacy(redis_url, tmp_path, "export", "nobody", "--output", str(tmp_path / "none"))
        assert (status, output) == (1, "adaptive-care: nothing is held of this patient\n")

        word = {"decision_id": "end", "clinician_id": "clin-1", "decision": "discharge", "rationale": "Done."}
        word |= {"program_id": f"prg-{ANNA}-intake"}
        raw = wire("care.clinician.decided.v1", word, subject=ANNA, event_id="end", time=now)
        await publish(client, Stream.DECISIONS, raw)
        await move_clock(client, now + timedelta(days=20), NAMES, timeout_s=120)
        status, output = await privacy(redis_url, tmp_path, "expire", "--older-than", "30", "--dry-run")
        assert (status, output) == (0, "0 would be erased\n")
        status, output = await privacy(redis_url, tmp_path, "expire", "--older-than", "2", "--dry-run")
        assert (status, output) == (0, f"{ANNA}\n1 would be erased\n")
        status, output = await privacy(redis_url, tmp_path, "expire", "--older-than", "2")
        assert (status, output) == (0, f"{ANNA}\n1 erasures submitted\n")
        await until_idle(client)
        assert await keys_that_name(client, [ANNA, ANNAS]) <= STREAMS

        status, output = await privacy(redis_url, tmp_path, "erase", BERTHA)
        assert (status, output.splitlines()[0]) == (0, "erased; nothing is held any more but what ages out:"), output
        assert await keys_that_name(client, [BERTHA, BERTHAS]) <= STREAMS
        acts = [(entry.action, entry.what) for entry in await Audit(client, 1, 365).entries()]
        assert acts == [("export", "everything")] * 3 + [("erase", "expired"), ("erase", "everything")]
        status, output = await privacy(redis_url, tmp_path, "verify", group="audit")
        assert (status, output.partition(" entries")[0]) == (0, "5"), output


def assert_complete(document: dict[str, Any], scanned: set[str]) -> None:
    manifest = document["manifest"]
    by_key = {part["key"]: part["content"] for part in document["parts"]}
    named_by_digest = {key for key in manifest["keys"] if ":erased:" in key} | {"care:{0}:audit", "care:{0}:audit:name"}
    assert set(manifest["keys"]) | {"care:{0}:audit:name"} == scanned | named_by_digest
    assert set(manifest["kinds"]) == {part["kind"] for part in document["parts"]}
    assert manifest["state_versions"].keys() == set(NAMES)
    text = json.dumps(document)
    assert BERTHA not in text
    assert BERTHAS not in text
    assert ANNAS in json.dumps(by_key[f"care:{{0}}:notifier:state:{ANNA}"])
    progression = json.dumps(by_key[f"care:{{0}}:progression:state:{ANNA}"])
    assert '"instructions"' in progression, "compressed parts are decoded"
    assert len(by_key["care:{0}:sessions"]) >= 8
    assert len(by_key[f"care:{{0}}:notifier:ledger:{ANNA}"]) >= 2
    (read,) = by_key["care:{0}:audit"]
    assert (read["action"], read["what"]) == ("export", "everything")


async def test_a_pseudonym_comes_from_standard_input(tmp_path: Path) -> None:
    """So that no identifier stands in the shell's history."""
    path = tmp_path / "key"
    assert (await privacy("redis://localhost:1", tmp_path, "key", str(path)))[0] == 0
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "shared.cli.main", "privacy", "pseudonym", "--key-file", str(path)),
        env=dict(os.environ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(b"MRN-1\n\nMRN-2\nMRN-1\n")
    first, second, third = output.decode().split()
    assert first == third != second
    status, output_text = await privacy("redis://localhost:1", tmp_path, "pseudonym", "--key-file", "none", "MRN-1")
    assert status == 1
    assert "adaptive-care privacy key FILE" in output_text
    assert "MRN-1" not in output_text
