"""Ready-made operators and sensors, one family a file.

They know no engine and no store: they ask through the context, or leave a wish in their outcome.
"""
