"""A stand-in for Azure Resource Manager: see README.md."""
