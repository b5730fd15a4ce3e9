"""What a message costs, counted by tools that slow a process: one module per tool, never timed.

Each module has a function that profiles one contender in one cell and returns rows. All of them
run the driver's executable ``profiled`` with two numbers of messages and take the difference, in
which starting, connecting, warming up and ending cancel.
"""
