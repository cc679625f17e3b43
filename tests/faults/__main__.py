"""Writes docs/faults.md anew from the table and what was measured: `.venv/bin/python -m tests.faults`."""

from tests.faults.table import write_page

if __name__ == "__main__":
    write_page()
