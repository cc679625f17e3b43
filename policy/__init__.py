"""What no preview and no update may declare, whoever wrote the program: rules as data, run by Pulumi itself."""
