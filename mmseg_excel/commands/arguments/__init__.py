"""What each command is told: parsed, and refused, before anything heavy is imported."""
