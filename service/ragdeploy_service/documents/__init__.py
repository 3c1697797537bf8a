"""Reads files into documents."""

from ragdeploy_service.documents.files import document_of, find_files, read_file
from ragdeploy_service.documents.isolated import IsolatedReader, Limits
from ragdeploy_service.documents.kinds import KINDS, kind_of
from ragdeploy_service.documents.page import Page, Unreadable
from ragdeploy_service.documents.reader import File, FileReader, TooManyFiles

__all__ = [
    "KINDS",
    "File",
    "FileReader",
    "IsolatedReader",
    "Limits",
    "Page",
    "TooManyFiles",
    "Unreadable",
    "document_of",
    "find_files",
    "kind_of",
    "read_file",
]
