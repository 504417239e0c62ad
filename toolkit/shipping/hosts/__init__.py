"""An image to the hosts of a cluster: what they lack of it, once over the operator's uplink, verified by its id."""
