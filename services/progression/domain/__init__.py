"""The pure core of progression: no I/O, no clock, no chance. `decide` is its only door."""
