"""What can go wrong in a running coalition, as data: each row is a test of the heal table (`test_3_heal.py`)."""
