"""What there is to look at, as values: pure, for a terminal, a picture, a page or a program to show."""
