"""The pure core of intake: no I/O, no clock, no chance."""
