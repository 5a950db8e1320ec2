"""What must be fast: nothing else asks which device it is on."""
