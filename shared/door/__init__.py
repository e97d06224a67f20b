"""The HTTP door: input events in, what is held of a patient out. Hosted by every process of the services."""
