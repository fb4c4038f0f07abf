"""Brings what was rendered to where it runs."""
