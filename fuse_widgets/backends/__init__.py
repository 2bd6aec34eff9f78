"""Backends: what executes a workflow."""
