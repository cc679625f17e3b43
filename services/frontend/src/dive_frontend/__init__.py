"""The portal of a country: sign in, see one's identity, read permitted documents, learn why others are refused."""
