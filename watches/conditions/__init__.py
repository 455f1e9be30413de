"""WHAT HAS HAPPENED? Conditions over a sequence of events and of times. Pure: no database, no clock.

`rules` has the values, `machines` one condition for one group, `evaluator` many watches over all events. However often
they are stopped, stored and read back in between, the same events lead to the same firings.
"""
