"""Progression: follows each patient's program and adapts the load to the response.

Consumes sessions and check-ins, programs of the planner, decisions of clinicians, and what patients say
of absence or of stopping. Decides, in order of event time whatever the order of arrival, whether each
exercise progresses, holds, regresses or is replaced, when a phase is left, whether care helps, and when
a person must look. Emits `care.load.adjusted`, `care.goal.reached`, `care.program.changed` (held,
resumed, ended) and `care.escalation.raised` and `.resolved`.
"""
