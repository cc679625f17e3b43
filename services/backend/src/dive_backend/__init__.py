"""The API of a country: a caller's identity, the list of documents, and their content for those who may read it."""
