"""Mutation runs: does a test fail when a line of the product is wrong? `make mutants`; see CONTRIBUTING.md.

`mutations` makes the wrong lines, `plugin` runs a room's tests against them inside pytest, `__main__` runs the rooms.

Two known tools do not fit. cosmic-ray starts pytest anew for each mutant, and to import Django and our apps takes longer
than most tests; it also changes the files that people edit. mutmut runs pytest several times in one process, which
Django's settings and the folder of the unit tests' database outlive only once.
"""
