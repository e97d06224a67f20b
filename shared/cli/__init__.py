"""The command line: one module for each command, each a function that typer mounts."""
