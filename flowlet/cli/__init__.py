"""The command line: a face. It owns no rule."""
