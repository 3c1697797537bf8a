"""Work that is done in the background, once, whatever ends in between."""
