"""Published cases of real patients as events, to be replayed: what the demonstration and the tests run."""
