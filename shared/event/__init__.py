"""The wire contract as models: one module for each group of events, one envelope around them all."""
