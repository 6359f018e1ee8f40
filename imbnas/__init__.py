"""imbnas: neural architecture search for long-tailed data, as an executable book."""
