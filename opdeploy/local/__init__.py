"""Tries a model's server on this machine: started as it would be deployed, asked, loaded, measured, cleared away."""
