"""The five levels of classification and clearance, lowest first: their standard names."""

LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP_SECRET")
