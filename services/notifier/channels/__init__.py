"""Ways to reach people, chosen by name."""
