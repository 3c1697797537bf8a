"""What operators of earlier versions have left in a cluster, and a test that goes on from there."""
