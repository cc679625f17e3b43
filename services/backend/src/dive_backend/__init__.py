"""The API of a country: who one is, which documents there are, and what they say to those who may read them."""
