"""The services of a country as data (`spec.ServiceSpec`), and the databases they use."""
