"""The command `./dive`: one module for each verb, named like the verb, and what they share.

Here belong the options and help of a verb, the order of its steps, what it prints, how it asks, and its exit code.
Checks, plans, repairs and changes do not: they are in `diagnosis`, `automation`, `rotation` and `teardown`, print
nothing, and report progress to a `Reporter`. Only modules of this package print, ask and exit.

May import: everything below except `phases`, `components`, `dynamic`, which declare resources.
"""
