"""The native driver: one C++ loop per workload, for every library through a function table.

``_driver`` has ``Session`` (open, run, close: one measured process), ``probe`` (what a shared
object is) and the watcher's functions.  Import it where it is needed: loading it costs time that
the command line does not have.
"""
