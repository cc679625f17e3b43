"""What is wrong with a country and what repairs it: snapshot, symptoms, status, deep checks, history, support bundle.

The way of a fact: `snapshot` observes, `symptoms` lists every finding that is not valid, `status` and `doctor_report`
turn them into reports, `diagnosis` and `repair` plan what fixes them. Here belongs what reads several sources of one
country. A check of one phase belongs in `checks`, the text on a screen in `cli`.

May import: everything below. Only `repair` changes anything, and only through an update.
"""
