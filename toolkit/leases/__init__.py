"""Who has which GPUs of a host, or the host as a whole: leases that lie on the host itself."""
