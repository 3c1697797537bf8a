"""The command line: `main` puts the commands together, which are a file each."""
