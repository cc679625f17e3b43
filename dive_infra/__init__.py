"""Deploy, check and repair a coalition's identity platform: the Pulumi program and the command `./dive`."""
