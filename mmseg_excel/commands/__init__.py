"""The commands, one a file: what each does with arguments that :mod:`.arguments` has parsed."""
