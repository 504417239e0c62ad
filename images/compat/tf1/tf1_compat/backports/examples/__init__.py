"""`tensorflow.examples`, of which the MNIST tutorial is left."""
