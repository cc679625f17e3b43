"""Write docs/reference/faults.md and docs/reference/healing-table.md from the recorded results: `.venv/bin/python -m tests.faults`."""

from tests.faults.table import write_pages

if __name__ == "__main__":
    write_pages()
