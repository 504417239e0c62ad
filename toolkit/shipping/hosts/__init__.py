"""Transfers an image to the hosts of a cluster: only missing layers, once over the operator's uplink, verified by
ID."""
