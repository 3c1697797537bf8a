"""The level-triggered engine: from what is wanted and what is there to the writes between.

It knows nothing of kopf. Keys come in through a queue, children through
reflectors; every reconcile looks at the whole of one resource and forgets it.
"""
