"""Write faults.md and healing-table.md of docs/reference from recorded results: `.venv/bin/python -m tests.faults`."""

from tests.faults.outcomes import write_pages

if __name__ == "__main__":
    write_pages()
