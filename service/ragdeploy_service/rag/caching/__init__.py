"""What an answer is kept under, and who else may have it."""
