"""What callers use, and the bill for it."""
