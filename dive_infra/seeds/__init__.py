"""Seed data: what it is (`batches`), how documents are sealed (`sealing`), how it is loaded and checked (`loader`)."""
