"""What turns a definition into a value and a gradient."""
