"""The notifier: no one who must know is left untold, and no one is told too much.

Consumes: `escalations`, `programs`, `adjustments`, `sessions`, `decisions`, `patients`.
Decides:  who is told of an escalation, again and again until a person answers (`policies/`); when a
          patient is reminded, on the patient's own clock, with consent, never in an emergency.
Emits:    `reminders`, `notifications`, and on `escalations` that one was acknowledged. Mail and log lines
          start only from committed state, at least once, with a Message-ID by which a repeat is known.
"""
