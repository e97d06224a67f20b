"""Events as nobody should send them: in process, and through the running services. `make fuzz` runs the long form."""
