"""Where an attempt runs: one contract, sequential and local.

Places and cancels; decides nothing and writes nothing.
"""
