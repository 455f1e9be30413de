"""Mutation runs: does a test fail when a line of the product is wrong? `make mutants`; see CONTRIBUTING.md.

`mutations` makes the wrong lines, `plugin` runs a room's tests against them inside pytest, `__main__` runs the rooms.

Two known tools do not fit. cosmic-ray starts pytest anew for each mutant, which costs more than most tests, and changes
the files that people edit. mutmut runs pytest several times in one process, and the second run finds no folder for the
database of the unit tests: the first one has removed it.
"""
