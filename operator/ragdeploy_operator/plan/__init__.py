"""``ragdeploy plan``: what the operator would do with a resource, before it is applied."""
