"""The native driver: one C++ loop per workload, for every library through a function table.

``_driver`` has ``Session`` (open, run, close: one measured process), ``probe`` (what a shared
object is) and ``die_with_parent``.  Import it where it is needed: loading it costs time that the
command line does not have.
"""
