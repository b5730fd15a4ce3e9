"""Runs a scenario: launches endpoints, measures block after block, stores every sample."""
