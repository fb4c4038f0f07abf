"""What a model's own file tells: looked at, never run."""
