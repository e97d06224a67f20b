"""Textbook patients."""
