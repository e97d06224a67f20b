"""Performance figures: `make bench`. Counters do not depend on the machine; times do."""
