"""Modules by pyzmq's names."""
