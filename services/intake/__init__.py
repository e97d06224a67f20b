"""Intake: what the pain probably is, and whether a person must look first.

Consumes intakes, decisions (they resolve its escalations) and patients (erasure, by the runtime).
Decides red flags first, then the probability of each condition, the disposition and what to ask next.
Emits `care.condition.classified.v1` and `care.escalation.raised.v1` / `.resolved.v1`.
"""
