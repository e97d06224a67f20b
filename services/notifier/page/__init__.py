"""The clinician's page: an inbox, an escalation with everything behind it, and the form that decides.

GET changes nothing, ever. A decision is one `care.clinician.decided.v1` in the stream, which binds every service; the
page keeps nothing of its own. How one comes in is `access`, what one sees is `inbox` and `dossier`, what one can do
is `answer`.
"""
