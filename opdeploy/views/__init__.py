"""What is shown of the catalogue, as values and as Markdown: pure, without a terminal."""
