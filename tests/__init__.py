"""Tests, by what they need: see docs/contributing.md."""
