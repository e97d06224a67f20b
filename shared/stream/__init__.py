"""The stream runtime: every guarantee about Redis streams is kept here, once, for all services."""
