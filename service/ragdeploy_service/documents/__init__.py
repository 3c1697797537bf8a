"""Reads files into documents."""

from ragdeploy_service.documents.files import (
    OpenedFile,
    document_of,
    find_files,
    open_file,
    read_file,
)
from ragdeploy_service.documents.isolated import IsolatedReader, Limits
from ragdeploy_service.documents.kinds import KINDS, kind_of
from ragdeploy_service.documents.page import Page, Unreadable
from ragdeploy_service.documents.reader import FileReader, TooManyFiles, Upload

__all__ = [
    "KINDS",
    "FileReader",
    "IsolatedReader",
    "Limits",
    "OpenedFile",
    "Page",
    "TooManyFiles",
    "Unreadable",
    "Upload",
    "document_of",
    "find_files",
    "kind_of",
    "open_file",
    "read_file",
]
