"""The command line: a face. It owns no rule.

Every command is a module of its own, imported when it is called: start-up time counts. What a command
writes to standard output is its result (with `--json`, JSON); all else goes to standard error.
"""
