"""When: cron, intervals, presets, daylight saving.

Takes every moment as an argument; never reads the clock, a DAG or a file.
"""
