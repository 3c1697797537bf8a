"""Lets ``python -m ragdeploy_service.cli`` run the command."""

from ragdeploy_service.cli.main import main

main()
