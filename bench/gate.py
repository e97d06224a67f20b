"""Counters that hardly depend on the machine, held against a baseline file.

CPU stands in units of a fixed piece of work of the same run, and may rise by half before the gate closes: it varies
with the processor's caches and with whatever else runs. All others may rise by a tenth. What has fallen by more than
that asks for a new baseline, so that it stays gained.
"""

import json
from pathlib import Path

BASELINE = Path(__file__).parent / "baseline.json"
SLACK = 0.10
CPU_SLACK = 0.50


def compare(counters: dict[str, float], baseline: dict[str, float]) -> tuple[list[str], list[str]]:
    """What has become dearer, and what has become so much cheaper that the baseline should follow; in words."""
    dearer, cheaper = [], []
    for name in sorted({*counters, *baseline}):
        now, was = counters.get(name), baseline.get(name)
        if now is None or was is None:
            dearer.append(f"{name}: is {'not measured any more' if now is None else 'new, and not in the baseline'}")
            continue
        slack = CPU_SLACK if name.startswith("cpu") else SLACK
        if now > was * (1 + slack):
            dearer.append(f"{name}: {now:.3g}, was {was:.3g}: {now / was - 1:+.0%}, allowed +{slack:.0%}")
        elif now < was * (1 - slack):
            cheaper.append(f"{name}: {now:.3g}, was {was:.3g}")
    return dearer, cheaper


def read_baseline() -> dict[str, float]:
    """As it was written last."""
    found: dict[str, float] = json.loads(BASELINE.read_text())
    return found


def write_baseline(counters: dict[str, float]) -> None:
    """From now on these count."""
    BASELINE.write_text(json.dumps({name: round(counters[name], 4) for name in sorted(counters)}, indent=2) + "\n")
