"""Proof of what the verdicts are worth: by simulation, and with libraries whose fault is known.

``simulate`` puts laws of noise through the functions that make verdicts.  ``known`` measures libzmq
against its own copy and against itself slowed by known shares, ``faults`` what is said of
libraries that lose, repeat or spoil messages.  ``outcome`` holds the claims against what came out.
"""
