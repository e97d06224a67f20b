"""FHIR R4 in and out: the contract's events as resources, and an intake from a QuestionnaireResponse.

A pure mapping: no I/O, no clock, no Redis. The same events give the same bytes. It needs the optional package
`fhir.resources` (`adaptive-care[fhir]`); whoever imports from here has it or says what is missing. Its package
R4B is used: none of the resources mapped here differs from R4.
"""
