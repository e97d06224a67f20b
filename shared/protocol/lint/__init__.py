"""Finds what is wrong in a folder of protocol files, all of it at once."""
