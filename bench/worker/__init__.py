"""The contenders of the session hop: each a process that handles sessions in its own way."""
