"""The query and index service."""
