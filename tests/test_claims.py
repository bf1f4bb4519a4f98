"""What the notebooks say in a sentence and cannot establish in a cell: over seeds, against controls, in long runs.

The quick claims belong to `make test`; those marked `slow` run with `make claims`, and every week.
"""
