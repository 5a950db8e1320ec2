"""The toy world: procedural scenes of cartoon objects built of parts, on textured backgrounds."""
