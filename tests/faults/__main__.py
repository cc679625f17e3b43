"""Writes docs/faults.md and docs/healing-table.md anew from what was measured: `.venv/bin/python -m tests.faults`."""

from tests.faults.table import write_pages

if __name__ == "__main__":
    write_pages()
