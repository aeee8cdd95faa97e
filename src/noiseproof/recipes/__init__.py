"""The recipes that come with noiseproof, as TOML files."""
