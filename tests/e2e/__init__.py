"""The bundle on a real cluster, driven as a user drives it: with kubectl and HTTP."""
