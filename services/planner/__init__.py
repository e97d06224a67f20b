"""Planner: from a probable condition to a program of exercise with goals.

Consumes: classifications, clinicians' decisions, the programs' later fate, a patient's stop.
Decides: which conditions are treated, the goals, phases and first prescription that no condition, mix or
circumstance of the patient forbids; whether a clinician must approve first; when to plan anew.
Emits: `care.program.planned.v1`, `care.program.changed.v1`, and escalations for approval.
"""
