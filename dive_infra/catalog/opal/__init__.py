"""Files that run inside the OPAL containers, with what their images hold."""
