"""Runs as one HTML file that needs no network: what ran, where its time went, its measurements, its log."""
