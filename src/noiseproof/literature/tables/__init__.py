"""The published tables and figures that noiseproof reproduces, as files."""
