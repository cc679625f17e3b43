"""What the program reports: findings, verdicts, remedies, error codes, and the base of its reports and exceptions.

Here belongs what every other package needs to say that something is wrong, what was expected, and what comes next. A
check itself belongs in `checks`, its presentation in `cli`.

May import: nothing of this project.
"""
