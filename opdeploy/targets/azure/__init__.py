"""What the platforms of Azure share: kinds of resources, their bodies, and steps. Pure."""
