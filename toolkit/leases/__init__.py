"""Which run has which GPUs of a host, or the whole host: leases that are stored on the host itself."""
