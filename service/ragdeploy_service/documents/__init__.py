"""Reads files into documents."""

from ragdeploy_service.documents.files import SUFFIXES, Unreadable, find_files, read_file

__all__ = ["SUFFIXES", "Unreadable", "find_files", "read_file"]
